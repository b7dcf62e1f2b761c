"""Reading files of customers into the database; one path for the admin and the command."""
