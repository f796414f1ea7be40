"""The service's database: engine, tables, migrations, and how requests and workers meet it."""
