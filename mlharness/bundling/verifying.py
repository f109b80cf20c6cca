"""``mlh bundle verify``: every figure of a bundle recomputed, and what nobody could recompute."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness import supervise
from mlharness.bundling.document import BundleDocument
from mlharness.bundling.findings import Checks
from mlharness.bundling.opening import Opened, check_bundle, open_into
from mlharness.bundling.recomputing import Recorded
from mlharness.bundling.reproducing import Permissions, file_differences, request_of
from mlharness.errors import MlharnessError, UserError
from mlharness.plugins import Plugins
from mlharness.runner.job import Job
from mlharness.supervise import Watch

_SCORED = tuple(f"accuracy.{key}" for key in ("value", "unit", "n", "interval", "details", "passed"))
"""Keys of the result that the metric gives, or that follow from it."""
_SAME = 1e-9
"""Two versions of numpy may add in another order."""


@dataclass(frozen=True)
class Verified:
    """A bundle that was looked at: the sha256 of its bytes, its document, and what was found."""

    sha256: str
    document: BundleDocument
    checks: Checks


def verify(path: Path, plugins: Plugins, allowed: Permissions, watch: Watch) -> Verified:
    """Recompute everything that a bundle says.

    Args:
        path: the bundle.
        plugins: those that may know its metric and its data.
        allowed: whether Python of its manifests may run, and where its data is.
        watch: is told of the runner that computes the accuracy.

    Raises:
        UserError: it is no bundle, or a hostile, damaged or newer one.
    """
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        opened = open_into(path, folder, checks)
        run = check_bundle(opened, checks)
        if run is not None and run.accuracy is not None and checks.hold:
            score_again(opened, run, plugins, allowed, watch, checks)
    return Verified(opened.sha256, opened.document, checks)


def score_again(
    opened: Opened, run: Recorded, plugins: Plugins, allowed: Permissions, watch: Watch, checks: Checks
) -> None:
    """Compute the accuracy again from LoadGen's log and the labels, or note why that cannot be."""
    assert run.accuracy is not None, "the run has one"
    try:
        request = request_of(opened, plugins, allowed, opened.folder)
        different = list(file_differences(opened, request, plugins.catalog))
        if different:
            raise UserError(different[0])
        plan = request.plan_without_fetching()
        job = Job("score", request.blocked, plan, directory=str(run.accuracy.directory))
        score = supervise.run(job, watch, opened.folder.parent / "runner.log", plan.host.interpreter).one("scored")
    except MlharnessError as error:
        why = error.message.replace(f"{opened.folder}/", "")
        for key in [key for key in checks.recomputed if key.startswith(_SCORED)]:
            checks.recomputed.remove(key)
            checks.stated[key] = f"as in scored.json, which was not computed again: {why}"
        return
    for name, found, wanted in score_differences(run.score or {}, score):
        checks.note(f"result.json: accuracy.{name}", f"it is {found}, and responses and labels give {wanted}")


def score_differences(told: Mapping[str, Any], score: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """In what two scores differ: name, and both values."""
    for name in ("value", "unit", "n", "interval", "details"):
        if not alike(told.get(name), score.get(name)):
            yield name, told.get(name), score.get(name)


def alike(one: Any, other: Any) -> bool:
    """The same, but for rounding of numbers."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME)
    return bool(one == other)
