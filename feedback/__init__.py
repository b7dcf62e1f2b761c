"""Customer service: cases, what was said in them, and how they end."""
