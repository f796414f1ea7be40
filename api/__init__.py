"""The prover service: snapshots made and published, packages handed out, bundles served.

Invariant: importing this package, or :mod:`api.cli`, loads no library of the extra ``api``.
"""
