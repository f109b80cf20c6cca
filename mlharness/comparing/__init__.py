"""From results of runs to what differs between them, and by how much.

Functions over documents; :mod:`~mlharness.comparing.runs` and :mod:`~mlharness.comparing.traces` alone read files.
"""
