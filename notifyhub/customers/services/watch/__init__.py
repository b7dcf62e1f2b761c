"""Watching the events: rules, what they find, the alerts they raise, and what staff decide."""
