"""oneDNN's primitives, from the lines that it prints of each: for the plugins of frameworks that compute with it.

A plugin registers a tracer of the level ``library`` that is a :class:`~mlharness.trace.onednn.tracer.OneDnnTracer`;
it says how its framework switches oneDNN's verbose mode on.
"""

from mlharness.trace.onednn.tracer import TWO, VERBOSE, OneDnnTracer, unavailable

__all__ = ["TWO", "VERBOSE", "OneDnnTracer", "unavailable"]
