"""Benchmarks of mlharness itself: ``python -m tests.benchmarks`` prints one table. Nothing here asserts a time."""
