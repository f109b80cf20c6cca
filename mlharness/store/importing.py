"""Brings run directories from elsewhere: checked, copied into a root (or left where they are), and indexed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlharness.errors import UserError
from mlharness.resources import resource_folder
from mlharness.rundir import LABELS, PLAN, RESULT, SYSTEM, has_result
from mlharness.store.index import Indexed, Problem, admits, index, scan
from mlharness.store.opening import Store
from mlharness.store.reading import IncompleteRunError, Record, content_sha256, read_json, read_record, read_result


def import_runs(store: Store, paths: Iterable[Path], root: Path, copy: bool = True) -> Indexed:
    """Import run directories; what became of each.

    Args:
        store: is told of them.
        paths: run directories, and folders of run directories.
        root: where copies go, each under its run id.
        copy: False leaves them where they are.

    Raises:
        UserError: a path holds no run at all; nothing has been imported.
        StoreError: the store cannot be written; copies are kept, and indexed the next time.
    """
    early = Indexed()
    wanted = [directory for path in paths for directory in run_directories(path)]
    places = [place for directory in wanted if (place := admit(store, directory, root if copy else None, early))]
    found = index(store, dict.fromkeys(places))
    found.known = [*early.known, *found.known]
    found.problems = [*early.problems, *found.problems]
    return found


def run_directories(path: Path) -> list[Path]:
    """The run directories that a path stands for. Raises UserError when there is none."""
    path = path.resolve()
    if has_result(path):
        return [path]
    if not path.is_dir():
        raise UserError(f"{path} is no folder", "Name a run directory, or a folder of them.")
    found = [path / name for name in sorted(scan(path)) if has_result(path / name)]
    if not found:
        raise UserError(f"{path} holds no run", f"Name a run directory, or a folder of them: each has a {RESULT}.")
    return found


def admit(store: Store, directory: Path, root: Path | None, found: Indexed) -> Path | None:
    """Check a run and copy it into the root, if there is one; where it is now. None when it is not imported: noted."""
    try:
        record = check(directory)
        if not admits(store, record, found):
            return None
        return bring(directory, root.resolve() / record.run_id) if root else directory
    except UserError as error:
        found.problems.append(Problem(directory, error.message, error.remedy))
        return None


def check(directory: Path) -> Record:
    """Hold all JSON files of a run against what they must be. Raises UserError."""
    record = read_record(directory)
    if record.problem:
        raise UserError(record.problem.partition(";")[0], f"Remove {LABELS} there, or mend it.")
    check_schema(json.loads(record.document), directory / RESULT)
    for name in (PLAN, SYSTEM):
        if (directory / name).exists():
            read_json(directory / name)
    return record


def check_schema(document: Mapping[str, Any], path: Path) -> None:
    """Raise UserError when a result does not follow its schema; the first departure is named."""
    import jsonschema

    schema = json.loads((resource_folder("schemas") / "result.v1.schema.json").read_text("utf-8"))
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(document))
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "the document"
        raise UserError(f"{path} does not follow its schema: {where}: {error.message}", "Restore it from a copy.")


def bring(source: Path, target: Path) -> Path:
    """Copy a run directory, whole or not at all; one that is there with the same content stays as it is.

    Raises:
        UserError: there is another run of that id, or the copy cannot be made.
    """
    if target == source:
        return target
    if target.exists():
        try:
            same = content_sha256(read_result(target)) == content_sha256(read_result(source))
        except IncompleteRunError:
            same = False
        if not same:
            raise UserError(
                f"{source} and {target} are both run {target.name}, and their results differ",
                "One was changed: remove that one.",
            )
        return target
    partial = target.with_name(f".importing-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)  # what an import left that was killed
        shutil.copytree(source, partial, symlinks=True)
        partial.replace(target)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(
            f"{source} cannot be copied to {target.parent}: {reason(error)}", "Free some space, or use --in-place."
        ) from error
    return target


def reason(error: OSError) -> str:
    """What went wrong, in a line; of copytree's list of failures the first."""
    failures = error.args[0] if error.args else ""
    if isinstance(failures, list) and failures:
        return str(failures[0][-1])
    return error.strerror or str(error)
