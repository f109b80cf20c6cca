"""mlharness: benchmark machine-learning models under MLPerf's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pluggy

    hookimpl: pluggy.HookimplMarker
    """Marks a plugin's functions as implementations of the hooks in :mod:`mlharness.hookspecs`."""

__all__ = ["hookimpl"]


def __getattr__(name: str) -> Any:
    """``hookimpl``, made when it is asked for: whoever starts ``mlh`` needs signal handlers before any library."""
    if name != "hookimpl":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pluggy

    return pluggy.HookimplMarker("mlharness")
