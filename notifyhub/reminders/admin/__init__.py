"""Pages of reminders: rules and due rows."""
