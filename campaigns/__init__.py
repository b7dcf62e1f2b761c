"""Marketing: campaigns and their runs."""
