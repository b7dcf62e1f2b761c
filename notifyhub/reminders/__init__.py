"""Rules, steps and due rows: reminders that stop when their reason is gone."""
