"""How the database's tables came to be what `api.database.tables` says, step by step."""
