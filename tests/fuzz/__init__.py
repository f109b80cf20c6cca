"""Malformed input: ``python -m tests.fuzz`` looks for tracebacks, executions and errors without a place."""
