"""What every request meets before a route: connections, limits, metrics, problems."""
