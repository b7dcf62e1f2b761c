"""The API through which programs have messages sent."""
