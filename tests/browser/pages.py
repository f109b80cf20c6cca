"""Pages of runs that never ran, with everything on them that a page can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlharness import telemetry
from mlharness.comparing.comparison import compare_groups
from mlharness.reporting.comparison import comparison_page
from mlharness.reporting.page import write_page
from mlharness.reporting.run import run_page
from mlharness.telemetry import Sample
from tests.traces import Delay, make_run
from tests.unit.comparing.making import SCORE, a_group, in_pairs, noisy

STRETCH = {"start_s": 5.0, "end_s": 7.0, "reasons": ["other processes took 31 % of the usable cores"]}
QUALITY = {
    "grade": "C",
    "reasons": ["2.0 s of 10.0 s were contaminated (grade C)"],
    "stretches": [STRETCH],
    "samples": 9,
}
TRIALS = [
    {
        "purpose": "trial",
        "target_qps": 50.0 + number,
        "queries": 270,
        "valid": number < 4,
        "p99_latency_ns": 4e6 * number,
    }
    for number in range(1, 6)
]
LATENCY = {
    "mean": 2e6,
    "min": 1e6,
    "max": 9e7,
    "p50": 1.5e6,
    "p90": 3e6,
    "p95": 4e6,
    "p97": 5e6,
    "p99": 9e6,
    "p99.9": 4e7,
}


def run(folder: Path, name: str | None = None, queries: int = 200) -> Path:
    """The page of a traced run with accuracy, quality, telemetry and a search."""

    def change(result: dict[str, Any]) -> None:
        result.update(quality=QUALITY, latency_ns=LATENCY)
        result["accuracy"] = {"metric": "top1", **SCORE, "target": 89.0, "passed": True}
        result["calibration"]["trials"] = TRIALS
        if name is not None:
            result["model"]["name"] = result["labels"][name] = name

    delays = {number: Delay(predict=50_000 * (number % 17)) for number in range(queries)}
    directory = make_run(folder, queries=queries, delays=delays, change=change)
    samples = [Sample("load", 0.0, 1.0, 0.02, 0.0)]
    samples += [Sample("measure", float(n), n + 1.0, 0.3 if 5 <= n < 7 else 0.01, 0.01 * n, samples_s=180.0 - n % 3)
                for n in range(1, 10)]  # fmt: skip
    telemetry.write_csv(directory / "telemetry.csv", samples)
    return write_page(directory / "report.html", run_page(directory))


def comparison(folder: Path) -> Path:
    """The page of a comparison of three groups, the first two in pairs."""
    groups = [
        *in_pairs(noisy(7, 0.01, 1), noisy(7, 0.01, 2, factor=1.2)),
        a_group("third", noisy(5, 0.01, 3), first=40),
    ]
    return write_page(folder / "comparison.html", comparison_page(compare_groups(groups)))
