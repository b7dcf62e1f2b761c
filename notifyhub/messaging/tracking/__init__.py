"""Links in messages that lead through this house: who followed which, and why they got the message."""
