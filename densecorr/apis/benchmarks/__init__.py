"""Benchmarks, one module per part; tools/benchmark.py runs them."""
