"""What a verifier can know of the chains: proofs under a block header, and nodes of its user's own.

A node is given by the verifier's user, never by what is verified; it can raise the level at which
an amount is known, or show that it is false.
"""
