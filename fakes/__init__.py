"""Shares and storage locations in memory, for tests and benchmarks. They pass the contract suites of the real ones."""
