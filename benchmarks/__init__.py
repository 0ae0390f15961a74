"""Measurements that `benchmarks/RESULTS.md` reports; `make bench` runs them."""
