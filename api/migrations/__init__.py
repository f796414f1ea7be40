"""How the database's tables came to be what `api.tables` says, step by step."""
