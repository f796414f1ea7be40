"""How the table of units is made; in no wheel."""
