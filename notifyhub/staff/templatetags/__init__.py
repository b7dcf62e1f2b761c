"""Template filters of the staff app."""
