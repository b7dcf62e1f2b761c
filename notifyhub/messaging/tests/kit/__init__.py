"""What the engine's tests share: a server that remembers, and helpers that send."""
