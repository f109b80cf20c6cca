"""The exception tree. Every error that a user can mend carries its remedy; only the command line knows exit codes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MlharnessError(Exception):
    """Base of every error that mlharness reports without a traceback.

    Args:
        message: what is wrong, naming the thing as the user wrote it.
        remedy: what to do about it; empty when the message already says so.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class UserError(MlharnessError):
    """The user's input or environment is wrong (exit code 2)."""


class PluginError(UserError):
    """A plugin that this run needs cannot be used."""


class ManifestError(UserError):
    """A manifest cannot be read or does not follow its schema."""


class TrustError(UserError):
    """A manifest wants to execute Python that nobody has trusted yet."""


class StoreError(UserError):
    """The store of runs cannot be read or written. Run directories are complete without it."""


class RunError(MlharnessError):
    """A run failed: it was started and can give no figure (exit code 3)."""


class Interrupted(MlharnessError):  # noqa: N818  # the user wanted it: no error
    """The user stopped the run (exit code 130)."""


PLUGIN_RAISES = (Exception, SystemExit, KeyboardInterrupt)
"""What is a plugin's own failure when its code raises it: ``sys.exit`` in a predictor ends no run of ours in peace."""


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """A remedy for a misspelt name: the likely right spelling if there is one, then all that is allowed."""
    names = sorted(set(allowed))
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(found.casefold(), folded, n=1, cutoff=0.6)
    listed = ", ".join(names) if names else "none"
    return f"Did you mean {folded[close[0]]!r}? Known: {listed}." if close else f"Known: {listed}."
