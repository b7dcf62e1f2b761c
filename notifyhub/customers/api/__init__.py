"""The API through which the platform tells us of customers and what they did."""
