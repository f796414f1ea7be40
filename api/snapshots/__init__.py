"""Snapshots from draft to retirement, without a word of HTTP: states, files, jobs, the worker."""
