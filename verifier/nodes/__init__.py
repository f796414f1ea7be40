"""Nodes and files of the verifier's own user, which confirm what the checks found."""
