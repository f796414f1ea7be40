"""The report: a page for people, and its pictures."""
