"""Mail over SMTP: `mime` writes the message, `client` speaks the protocol, `backend` keeps connections."""
