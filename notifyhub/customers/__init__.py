"""Whom we may talk to, by what, and under which consent."""
