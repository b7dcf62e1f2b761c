"""The admin site: its look, its sidebar, its dashboards, and the pages of the machine room."""
