"""Which run directory is meant by what the user wrote."""

from __future__ import annotations

from pathlib import Path

from mlharness.errors import UserError, did_you_mean
from mlharness.paths import runs_dir
from mlharness.rundir import RESULT


def find_run(name: str) -> Path:
    """A run by its path, its id, or the beginning of its id; ``@last`` is the latest.

    Raises:
        UserError: there is none, or more than one.
    """
    if (Path(name) / RESULT).is_file():
        return Path(name)
    known = sorted(path.parent for path in runs_dir().glob(f"*/{RESULT}"))
    found = known[-1:] if name == "@last" else [path for path in known if path.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"several runs begin with {name!r}: {found[0].name}, {found[1].name} ...", "Write more of it.")
    raise UserError(f"there is no run {name!r}", did_you_mean(name, [path.name for path in known[-10:]]))
