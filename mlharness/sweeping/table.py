"""The table of a sweep: a row for each cell, from the results of its runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mlharness import rundir
from mlharness.networks import Network, differences
from mlharness.sweeping.cells import AXES, Cell
from mlharness.sweeping.directory import SweepDirectory
from mlharness.sweeping.journal import NOT_RUN, Entry

TABLE = "table.json"
TABLE_VERSION = 1
PENDING = "pending"
"""The status of a cell of which no run has ended."""
LATENCIES = ("mean", "p50", "p90", "p99")

Row = dict[str, Any]
Result = Mapping[str, Any]


def table_of(directory: SweepDirectory) -> dict[str, Any]:
    """The table as a document: what was asked, and ``rows`` in the order of the sweep.

    A row's figures are medians over its valid runs (over its invalid ones when none is valid; ``status`` says so), in
    the units of results; ``differs`` says in what a network differs from that of the model's first row that tells.
    """
    sweep = directory.sweep
    entries: dict[str, list[Entry]] = {}
    for entry in sorted(directory.journal.entries.values(), key=lambda entry: entry.repetition):
        entries.setdefault(entry.cell, []).append(entry)
    rows = [row_of(directory, cell, entries.get(cell.id, [])) for cell in sweep.cells]
    mark_networks(rows)
    return {
        "schema_version": TABLE_VERSION,
        "sweep": directory.path.name,
        "name": sweep.name,
        "description": sweep.description,
        "sha256": sweep.sha256,
        "started": directory.started,
        "repetitions": sweep.repetitions,
        "order": "interleaved" if sweep.seed is None else {"random": sweep.seed},
        "complete": not directory.left(),
        "rows": rows,
    }


def row_of(directory: SweepDirectory, cell: Cell, entries: Sequence[Entry]) -> Row:
    """One row."""
    results = [result for entry in entries if entry.run_id and (result := directory.result(entry.run_id))]
    by_status = {wanted: [one for one in results if one["status"] == wanted] for wanted in ("valid", "invalid")}
    status = status_of(entries)
    shown = by_status["valid"] if status == "valid" else by_status["invalid"]
    why = next((entry for entry in reversed(entries) if entry.message), None)
    valid = [entry.run_id for entry in entries if entry.status == "valid"]
    gone = f"the result of {valid[0]} is gone, or cannot be read" if valid and not shown else ""
    return {
        "cell": cell.id,
        **{key: getattr(cell, key) for key in AXES},
        "settings": dict(cell.settings),
        "status": status,
        "counts": dict(Counter(entry.status for entry in entries)),
        "runs": [result["run_id"] for result in shown],
        "message": gone or (why.message if why else ""),
        "remedy": why.remedy if why and not gone else "",
        **figures(shown),
        **identity(results),
        "accuracy": accuracy_of(directory, shown),
    }


def status_of(entries: Sequence[Entry]) -> str:
    """Valid when any run is; else that of the last one."""
    if not entries:
        return PENDING
    return "valid" if any(entry.status == "valid" for entry in entries) else entries[-1].status


def figures(results: Sequence[Result]) -> Row:
    """LoadGen's metric, the throughput in samples a second, and latencies in nanoseconds, each over all runs."""
    metrics = [result["metric"] for result in results if result["metric"]]
    latencies = [result["latency_ns"] for result in results if result["latency_ns"]]
    names = {metric["name"] for metric in metrics}
    values = spread(metric["value"] for metric in metrics)
    return {
        # A plain percentile and one of early stopping are two metrics, of which there is no median.
        "metric": metrics[0] | (values or {}) if len(names) == 1 else None,
        "throughput": spread(filter(None, map(throughput, results))),
        "latency_ns": {key: spread(one[key] for one in latencies) for key in LATENCIES} if latencies else None,
    }


def throughput(result: Result) -> float | None:
    """Samples a second: LoadGen's figure where it gives one, else samples by duration."""
    metric = result["metric"]
    if metric and metric["unit"] == "samples/s":
        return float(metric["value"])
    return result["samples"] / result["duration_s"] if result["duration_s"] else None


def spread(values: Iterable[float]) -> Row | None:
    """The median, and the least and the largest; None without values."""
    found = sorted(values)
    return {"value": median(found), "low": found[0], "high": found[-1], "n": len(found)} if found else None


def identity(results: Sequence[Result]) -> Row:
    """What was run, as the first result knows it."""
    first: Mapping[str, Any] = results[0] if results else {"model": {}, "framework": {}}
    model, framework = first["model"], first["framework"]
    return {
        "framework_name": framework.get("name"),
        "framework_version": framework.get("version"),
        "ran_with": {key: framework.get(key) for key in ("batch_size", "instances", "threads")},
        "weights": model.get("weights"),
        "parameters": model.get("parameters"),
        "multiply_adds": model.get("multiply_adds"),
        "differs": "",
    }


def accuracy_of(directory: SweepDirectory, results: Sequence[Result]) -> Row | None:
    """The accuracy over all runs, and whether a higher one is better; None when none was measured."""
    found = [result["accuracy"] for result in results if result["accuracy"]]
    if not found:
        return None
    about = {key: found[0][key] for key in ("metric", "unit", "target")}
    passed = [one["passed"] for one in found if one["passed"] is not None]
    plan = read_plan(directory.runs / results[0]["run_id"])
    higher = (plan.get("metric") or {}).get("higher_is_better", True)
    values = spread(one["value"] for one in found)
    return {**about, **(values or {}), "passed": all(passed) if passed else None, "higher_is_better": higher}


def read_plan(directory: Path) -> dict[str, Any]:
    """A run's plan; empty when it cannot be read."""
    try:
        found = json.loads((directory / rundir.PLAN).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def mark_networks(rows: Sequence[Row]) -> None:
    """Say of each row in what its network differs from the first one of the same model."""
    for model in dict.fromkeys(row["model"] for row in rows):
        same = [row for row in rows if row["model"] == model]
        networks = [Network(row["framework_name"] or "", row["parameters"], row["multiply_adds"]) for row in same]
        for row, apart in zip(same, differences(networks), strict=True):
            row["differs"] = apart


def has_figures(row: Mapping[str, Any]) -> bool:
    """Whether a row stands on a valid run whose result is still there."""
    return row["status"] == "valid" and bool(row["runs"])


def could_run(table: Mapping[str, Any]) -> bool:
    """Whether any cell could begin."""
    return any(row["status"] != NOT_RUN for row in table["rows"])
