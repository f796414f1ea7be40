"""Putting a bundle where everybody reads it."""
