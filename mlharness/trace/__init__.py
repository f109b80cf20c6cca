"""Tracing: spans of every level on one clock, their tree, and the file that holds them.

Nothing here imports a framework or LoadGen. What the runner records with (levels, clock, spans, journal) needs NumPy
alone, since the runner's environment may be an old one; what the parent reads and writes with may need more.
"""
