"""The auditing host: audits bundles for everybody, and says in public what it found.

It watches the exchanges of its settings, audits every new snapshot, signs an attestation of the
outcome, and serves a page of its history. Anyone may hand it the address of a bundle, or a package
that fails. What it holds of others' is untrusted, and what it publishes is checkable by anyone.
"""
