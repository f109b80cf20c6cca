"""Where a data set's files lie that nobody may fetch for the user: the data set's option, else ``DATA_DIR``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mlharness.errors import UserError
from mlharness.providers import Option

VARIABLE = "DATA_DIR"
ROOT = Option(
    "root", "string", f"The folder that holds the data set's files; without it, the environment's {VARIABLE}."
)
"""The option that every such data set declares."""


def data_root(root: str | None, what: str, needed: Sequence[str], source: str) -> Path:
    """The folder of a data set.

    Args:
        root: the option of that name.
        what: the data set, for messages.
        needed: paths that must be there, from the folder; none when the data set knows no names.
        source: where the files can be had, and under which terms.

    Raises:
        UserError: no folder is named, or something needed is not in it; the remedy says what to put where.
    """
    named = root or os.environ.get(VARIABLE)
    listed = ", ".join(needed) or "its files"
    if not named:
        raise UserError(
            f"{what}: nobody says where its files are",
            f"Put {listed} into one folder ({source}), and name it: --data-dir DIR, {VARIABLE}=DIR, "
            "or options: {root: DIR} in the data set's manifest.",
        )
    folder, remedy = Path(named).expanduser(), f"Put {listed} there ({source}), or name another folder."
    if not folder.is_dir():
        raise UserError(f"{what}: there is no folder {folder}", remedy)
    missing = [path for path in needed if not (folder / path).exists()]
    if missing:
        raise UserError(f"{what}: {folder} has no {', '.join(missing)}", remedy)
    return folder
