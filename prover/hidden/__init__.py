"""Hiding keys in a public list: offline, once, by a process that alone sees private keys."""
