"""Runs that never ran, with any figure."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlharness.comparing.groups import PAIR, SERIES, Group, side_label
from mlharness.comparing.runs import Run
from mlharness.plan import RunPlan
from mlharness.result import Findings, make_result
from tests.unit.runner.making import a_metric, a_plan
from tests.unit.runner.measurements import LATENCIES, a_measured

SYSTEM: dict[str, Any] = {
    "host": "north", "os": "Linux 1", "kernel": "6.1", "memory_bytes": 8 << 30, "virtualised": False,
    "cpu": {"model": "CPU One", "usable_cores": [0, 1], "governor": "performance", "cgroup_quota": None},
    "python": "3.11.1", "packages": {"mlharness": "0.1.0", "numpy": "2.1", "click": "8.1"},
}  # fmt: skip
SCORE = {"value": 90.0, "unit": "%", "n": 1000, "interval": [88.0, 92.0], "details": {}}


def a_run(
    number: int = 1,
    factor: float = 1.0,
    changes: Mapping[str, Any] | None = None,
    plan: RunPlan | None = None,
    **kw: Any,
) -> Run:
    """A valid SingleStream run whose latencies are 1 ms times the factor.

    Args:
        number: part of its name and its minute, so that runs can be told apart and have an order.
        factor: of every latency; rates are divided by it.
        changes: values of the result by dotted key (``framework.version``).
        plan: another plan.
        kw: for :class:`Findings`.
    """
    plan = plan or a_plan(test={"scenario": "SingleStream"}, metric=a_metric())
    values = dict.fromkeys((*LATENCIES, "early_stopping_latency_ss"), 1000000.0 * factor)
    rates = dict.fromkeys(("result_samples_per_second", "result_completed_samples_per_sec"), 1000 / factor)
    folder = Path(f"20260101T00{number:02}00Z-tiny-{plan.test.scenario}-{number:06x}")
    figures: dict[str, Any] = {**values, **rates}
    measured = a_measured(folder, **figures)
    started = f"2026-01-01T00:{number:02}:00.000+00:00"
    result = make_result(plan, folder, Findings(performance=measured, **kw), SYSTEM, started, started)
    result["quality"] = {"grade": "A", "reasons": [], "stretches": [], "samples": 9}
    # as it is read from a file, and nothing is shared with another run
    return Run(changed(json.loads(json.dumps(result)), changes or {}), plan.document(), copy.deepcopy(SYSTEM))


def changed(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The document with values by dotted key in the place of its own."""
    for key, value in changes.items():
        *path, last = key.split(".") if key not in document else [key]
        place = document
        for part in path:
            place = place[part]
        place[last] = value
    return document


def a_group(name: str, factors: Sequence[float], first: int = 1, step: int = 1, **kw: Any) -> Group:
    """Independent runs, one for each factor."""
    return Group(name, tuple(a_run(first + step * place, factor, **kw) for place, factor in enumerate(factors)))


def in_pairs(a: Sequence[float], b: Sequence[float]) -> tuple[Group, Group]:
    """Runs as ``mlh bench A --against B`` labels them, in turns."""
    sides: dict[str, list[Run]] = {"A": [], "B": []}
    for number, factors in enumerate(zip(a, b, strict=True), start=1):
        for side, factor in zip("AB", factors, strict=True):
            turn = 2 * number + ((side == "B") == bool(number % 2))
            labels = {SERIES: side_label("abc123", side), PAIR: str(number)}
            sides[side].append(a_run(turn, factor, {"labels": labels}))
    return Group("one", tuple(sides["A"])), Group("other", tuple(sides["B"]))


def noisy(count: int, spread: float, seed: int, factor: float = 1.0) -> list[float]:
    """Factors around one that differ by about the share ``spread``."""
    draw = random.Random(seed)  # noqa: S311  # not for secrets
    return [factor * math.exp(draw.gauss(0, spread)) for _ in range(count)]


def write_run(root: Path, run: Run) -> Path:
    """A run directory of it."""
    folder = root / run.id
    folder.mkdir(parents=True)
    for name, document in (("result", run.result), ("plan", run.plan), ("system", run.system)):
        (folder / f"{name}.json").write_text(json.dumps(document), "utf-8")
    return folder
