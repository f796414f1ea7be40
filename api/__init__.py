"""The web service that serves a published bundle."""
