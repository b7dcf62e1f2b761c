"""Templates, gates, dispatches and the ledger of every message."""
