"""mlharness: benchmark machine-learning models under MLPerf's rules."""

import pluggy

hookimpl = pluggy.HookimplMarker("mlharness")
"""Marks a plugin's functions as implementations of the hooks in :mod:`mlharness.hookspecs`."""

__all__ = ["hookimpl"]
