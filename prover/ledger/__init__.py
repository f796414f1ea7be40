"""Ledger sources to the one canonical, validated ledger."""
