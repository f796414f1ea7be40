"""Benchmarks: kernels, stages, and whole commands on a generated exchange."""
