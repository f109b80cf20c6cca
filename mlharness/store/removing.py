"""Removes a run: its directory, then its row."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlharness.errors import UserError
from mlharness.rundir import has_result


def remove_directory(directory: Path) -> None:
    """Remove a run directory; it vanishes at once, so that nobody meets half a run.

    Raises:
        UserError: it is no run directory, or cannot be removed.
    """
    if not has_result(directory):
        raise UserError(f"{directory} is no run directory", "Remove it yourself if that is what you want.")
    doomed = directory.with_name(f".removing-{directory.name}")
    try:
        directory.replace(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise UserError(f"{directory} cannot be removed: {error.strerror}", "Check its permissions.") from error
