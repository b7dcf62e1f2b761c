"""Who works here: people, teams, roles, keys, long jobs, notices and the audit trail."""
