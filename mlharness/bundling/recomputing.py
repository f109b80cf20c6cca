"""The result of a run, made again from LoadGen's logs and what the runners said, and held against ``result.json``."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from mlharness import likeness, quality, rundir, telemetry
from mlharness.bundling.findings import Checks
from mlharness.bundling.logs import disagreements
from mlharness.errors import MlharnessError
from mlharness.loadgen_log import DETAIL_LOG, read_log
from mlharness.measuring import Measured, check_log
from mlharness.monitor import FILE as HOST
from mlharness.plan import RunPlan
from mlharness.result import Findings, make_result
from mlharness.search import Search
from mlharness.trace.files import FOLDER
from mlharness.tracing import LOGS, slowdown

SEARCH = "search"
BROKEN = (
    MlharnessError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
    csv.Error, msgspec.MsgspecError,
)  # fmt: skip
"""What reading files raises that somebody has changed: they are no longer of the form in which they were written."""
_NEAR_S = 0.0015
"""Stretches are rounded to milliseconds, and so are the samples that they are made of."""
_ONCE = "measured once per host, not in this run"
_TOLD = "noted by mlh bench while it ran"
_TRACED = "the trace is not in the bundle"
_STATED = {
    "started": _TOLD,
    "finished": _TOLD,
    "harness.null_floor_us": _ONCE,
}


class Recorded:
    """The files of a run directory, read anew.

    Args:
        directory: it, or a copy of it.

    Raises:
        RunError, OSError, ValueError, KeyError, TypeError: a file is not there, or not of its form.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.result = self.read(rundir.RESULT)
        self.plan_document = self.read(rundir.PLAN)
        self.system = self.read(rundir.SYSTEM)
        self.plan = msgspec.convert(self.plan_document, RunPlan)
        self.trials = self._trials()
        self.performance = self._test("performance") if self.plan.test.mode != "accuracy" else None
        self.accuracy = self._test("accuracy") if self.plan.test.mode != "performance" else None
        self.score = self.read(rundir.SCORED, self.accuracy.directory) if self.accuracy else None

    def read(self, name: str, directory: Path | None = None) -> dict[str, Any]:
        """The JSON object of a file."""
        document = json.loads(((directory or self.directory) / name).read_text("utf-8"))
        if not isinstance(document, dict):
            raise TypeError(f"{name} holds no JSON object")
        return document

    @property
    def tests(self) -> list[tuple[str, Measured, bool]]:
        """Every test with figures in the result: its folder, what it left, and whether it was in accuracy mode."""
        found = [(test, False) for test in (*self.trials, self.performance) if test is not None]
        found += [(self.accuracy, True)] if self.accuracy is not None else []
        return [(str(test.directory.relative_to(self.directory)), test, accuracy) for test, accuracy in found]

    def _test(self, mode: str) -> Measured:
        directory = self.directory / mode if self.plan.test.mode == "both" else self.directory
        if mode == "performance" and not (directory / DETAIL_LOG).exists() and self.trials:
            return self.trials[-1]  # no rate was found: the last trial stands for the run
        return self._measured(directory, mode == "accuracy")

    def _trials(self) -> list[Measured]:
        return [self._measured(path) for path in sorted((self.directory / SEARCH).glob("trial-*"))]

    def _measured(self, directory: Path, accuracy: bool = False) -> Measured:
        said = self.read(rundir.MEASURED, directory)
        log = read_log(directory)
        check_log(log, accuracy)
        return Measured(directory, log, said["prepared"], said["measured"])


def recompute(directory: Path, checks: Checks) -> Recorded | None:
    """Make the result of a run directory again, and note what does not hold; the files, None when they are unusable."""
    try:
        run = Recorded(directory)
    except BROKEN as error:
        checks.note("run", f"it cannot be read as a run: {words(error)}")
        return None
    for where, test, accuracy in run.tests:
        try:
            audited = bool(run.plan.test.audit_conf_sha256)
            for told in disagreements(test, run.plan.test.scenario, accuracy, audited):
                checks.note(str(Path("run", where)), told)
        except BROKEN as error:
            checks.note(str(Path("run", where)), f"its logs cannot be read: {words(error)}")
    try:
        for told in other_models(run):
            checks.note("run", told)
        compare(run, checks)
    except BROKEN as error:
        checks.note("run", f"no result can be made of it: {words(error)}")
    return run


def other_models(run: Recorded) -> Iterator[str]:
    """Tests whose outputs are not those of the first one: no run ends well that has some."""
    prints = [test.prepared["fingerprint"] for _, test, _ in run.tests]
    for later in prints[1:]:
        told, alike = likeness.compare(prints[0], later)
        if not alike:
            yield told


def words(error: BaseException) -> str:
    """What an error says, in a line."""
    said = error.message if isinstance(error, MlharnessError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:300]


def compare(run: Recorded, checks: Checks) -> None:
    """Hold every key of the result against the one that is made again."""
    expected, stated = make_again(run, checks)
    found, wanted = leaves(run.result), leaves(expected)
    for key in [*wanted, *(key for key in found if key not in wanted)]:
        reason = next((why for of, why in stated.items() if key == of or key.startswith((f"{of}.", f"{of}["))), "")
        if reason:
            checks.stated[key] = reason
        elif key not in wanted or key not in found or not same(found[key], wanted[key]):
            checks.note(f"result.json: {key}", f"it is {shown(found, key)}, and the logs give {shown(wanted, key)}")
        else:
            checks.recomputed.append(key)


def make_again(run: Recorded, checks: Checks) -> tuple[dict[str, Any], dict[str, str]]:
    """The result as the files give it, and the keys that it had to take from ``result.json``, with the reasons."""
    result, plan, stated = run.result, run.plan, dict(_STATED)
    if run.plan_document.get("plan_sha256") != plan.sha256:
        checks.note("run/plan.json", f"its hash is {plan.sha256}, and it says {run.plan_document.get('plan_sha256')}")
    findings = Findings(
        performance=run.performance,
        accuracy=run.accuracy,
        score=run.score,
        null_floor_us=result["harness"]["null_floor_us"],
        quality=host_quality(run, stated),
        trace=traced(run, stated),
        trials=trials(run, stated),
    )
    made = make_result(plan, Path(result["run_id"]), findings, run.system, result["started"], result["finished"])
    check_name(run, checks)
    made["warnings"] = warnings(made["warnings"], result["warnings"], checks)
    stated["warnings"] = _TOLD
    again: dict[str, Any] = json.loads(json.dumps(made))
    return again, stated


def check_name(run: Recorded, checks: Checks) -> None:
    """The name of a run holds its model and scenario, and when its directory was made."""
    name, plan = str(run.result["run_id"]), run.plan
    named = re.fullmatch(rf"(\d{{8}}T\d{{6}})Z-{re.escape(plan.model.name)}-{plan.test.scenario}-[0-9a-f]{{6}}", name)
    began = re.sub(r"[-:]", "", str(run.result["started"]))[:15]
    if named is None or named[1] > began:
        checks.note("result.json: run_id", f"{name} is no name of a run of {plan.model.name} that began then")


def warnings(needed: Sequence[str], found: Sequence[str], checks: Checks) -> list[str]:
    """The warnings that are there; those that follow from the files must be among them."""
    for warning in needed:
        if warning not in found:
            checks.note("result.json: warnings", f"this one is missing: {warning}")
    return list(found)


def host_quality(run: Recorded, stated: dict[str, str]) -> Any:
    """The quality that the telemetry gives, or the result's own when that is the same to rounding."""
    own = run.result["quality"]
    if own is None:
        stated["quality"] = "the host gave none"
        return None
    stated["quality.reasons"] = "words about the figures beside them"
    grades = [grade for samples in measured_phases(run.directory / HOST) if (grade := quality.grade(samples))]
    return next((own for grade in grades if same_quality(own, grade)), grades[-1] if grades else None)


def measured_phases(path: Path) -> Iterator[list[telemetry.Sample]]:
    """The samples of each LoadGen test."""
    for phase, samples in groupby(telemetry.read_csv(path), lambda sample: sample.phase):
        if phase == "measure":
            yield list(samples)


def same_quality(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Grade, number of samples, and stretches, to the rounding of the file."""
    ends = [[stretch[key] for stretch in found["stretches"] for key in ("start_s", "end_s")] for found in (one, other)]
    rounded = all(round(end, 3) == end for end in ends[0])
    near = rounded and len(ends[0]) == len(ends[1]) and all(abs(a - b) <= _NEAR_S for a, b in zip(*ends, strict=True))
    return near and all(one[key] == other[key] for key in ("grade", "samples"))


def traced(run: Recorded, stated: dict[str, str]) -> Any:
    """The trace as it is told; how much slower the traced run was, from both logs."""
    own = run.result["trace"]
    if own is None:
        return None
    logs = run.directory / FOLDER / LOGS
    stated |= {f"trace.{key}": "told by the tracers" for key in own if key != "slowdown"}
    if not own.get("slowdown"):
        return own
    if not (logs / DETAIL_LOG).exists():
        stated["trace.slowdown"] = _TRACED
        return own
    # only the log of a traced test is asked, whatever the runner said beside it
    test = Measured(logs, read_log(logs), {}, {})
    return {**own, "slowdown": slowdown(run.performance, test, run.plan.test.scenario)}


def trials(run: Recorded, stated: dict[str, str]) -> list[dict[str, Any]]:
    """The trials of a rate search. Of confirming runs the last one has left its logs, and no other."""
    told = run.result["calibration"]["trials"] if run.result["calibration"] else []
    search = Search()
    for trial in run.trials:
        search.note(trial, "trial")
    confirmations = [place for place, trial in enumerate(told) if trial.get("purpose") == "confirmation"]
    for place in confirmations[:-1]:
        stated[f"calibration.trials[{place}]"] = "the next confirming run took the place of its logs"
        search.trials.append(told[place])
    if confirmations and run.performance is not None:
        search.note(run.performance, "confirmation")
    return search.trials


def leaves(document: Any, path: str = "") -> dict[str, Any]:
    """Every value that holds no other, by its path (``a.b[0]``); of what is empty, itself."""
    if isinstance(document, dict) and document:
        pairs = ((f"{path}.{key}" if path else str(key), value) for key, value in document.items())
    elif isinstance(document, list) and document:
        pairs = ((f"{path}[{place}]", value) for place, value in enumerate(document))
    else:
        return {path: document}
    return {key: leaf for inner, value in pairs for key, leaf in leaves(value, inner).items()}


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, of which 1 and true are not."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return False
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def shown(leaves_: Mapping[str, Any], key: str) -> str:
    """A value as a message shows it."""
    return json.dumps(leaves_[key])[:80] if key in leaves_ else "not there"
