"""The standalone verifier: everything needed to check a bundle, and nothing that makes one."""
