"""Labels that change after the run: ``labels.json`` of its directory, which takes the place of the result's labels.

``result.json`` stays as the run wrote it: it is the record, and its content tells whether two copies are one run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import filelock

from mlharness.errors import UserError
from mlharness.rundir import LABELS, LABELS_VERSION, write_json
from mlharness.store.reading import read_labels, read_result

_LOCK = ".labels.lock"
_PATIENCE_S = 10.0


def change_labels(directory: Path, given: Mapping[str, str], removed: Collection[str] = ()) -> dict[str, str]:
    """Set and remove labels of a run, whoever else does so at the same time, and return all that it has.

    Raises:
        UserError: a label to remove is not there, ``labels.json`` is damaged, or nothing can be written.
    """
    try:
        with filelock.FileLock(directory / _LOCK, timeout=_PATIENCE_S):
            found, problem = read_labels(directory, read_result(directory))
            if problem:
                raise UserError(problem.partition(";")[0], f"Mend or remove {directory / LABELS}, then label again.")
            for key in removed:
                if found.pop(key, None) is None:
                    raise UserError(f"--remove {key}: {directory.name} has no such label", "See: mlh runs show")
            labels = {**found, **given}
            write_json(directory / LABELS, {"schema_version": LABELS_VERSION, "labels": labels})
            return labels
    except filelock.Timeout as error:
        raise UserError(f"{directory / _LOCK} is held by another process", "Try again when that has ended.") from error
    except OSError as error:
        raise UserError(f"{directory} cannot be written: {error.strerror}", "Check its permissions.") from error
