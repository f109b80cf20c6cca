"""The list of runs: a page of those that are wanted, with what it takes to want others, and to compare some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from mlharness.comparing.groups import PAIR, SERIES
from mlharness.rundir import UNVERIFIED
from mlharness.serving.frame import asset, page
from mlharness.serving.questions import Question
from mlharness.serving.shelf import Shelf
from mlharness.serving.sweeps import sweep_link
from mlharness.store.filtering import SCENARIOS, STATUSES, misspelt
from mlharness.store.opening import Store
from mlharness.store.querying import count_runs, list_runs, values_of
from mlharness.sweeping.directory import LABELS as SWEEP_LABELS
from mlharness.wording import measured, milliseconds, score, verdict

NEEDED = (
    "run_id", "started", "status", "rules", "scenario", "mode", "model", "weights", "framework", "framework_version",
    "device", "batch_size", "value", "unit", "p90_ns", "accuracy_metric", "accuracy", "accuracy_unit",
    "accuracy_passed", "quality", "host",
)  # fmt: skip
"""The columns that a row is made of."""
KINDS = {"valid": "good", "invalid": "bad", "failed": "bad", "interrupted": "warn"}
"""Classes of CSS for verdicts."""
GRADES = {"A": "good", "B": "good", "C": "warn", "D": "bad"}
"""Classes of CSS for the host's quality."""
_AROUND = 2
"""Pages on either side of the one that is shown to which there are buttons."""


@dataclass(frozen=True)
class Heading:
    """A column: its title, by what it sorts, whether it holds figures, and a tooltip."""

    title: str
    order: str = ""
    figures: bool = False
    told: str = ""


HEADINGS = (
    Heading("Started", "started", told="UTC"),
    Heading("Model", "model"),
    Heading("Scenario", "scenario"),
    Heading("Verdict", "status", told="LoadGen's: the run was long enough, and had enough queries"),
    Heading("Figure", "figure", True, "What MLPerf reports for the scenario: a latency, or a rate"),
    Heading("p90", "p90", True, "90th percentile of the latency"),
    Heading("Accuracy", "accuracy", True),
    Heading("Framework", "framework"),
    Heading("Host", "host"),
    Heading("Quality", "quality", told="How little the host was disturbed: A is best"),
    Heading("Labels"),
)


def list_page(shelf: Shelf, question: Question) -> str:
    """The page that answers a question. Raises StoreError."""
    store = shelf.open()
    total = count_runs(store, question.wanted)
    wanted, number, pages = question.page(total)
    rows = list_runs(store, question.wanted, columns=NEEDED, page=wanted)
    here = {row["run_id"] for row in rows}
    return page(
        "list.html",
        "Runs",
        here="runs",
        scripts=(asset("list.js"),),
        question=question,
        headings=HEADINGS,
        rows=[cells(row, question) for row in rows],
        elsewhere=[run_id for run_id in question.chosen if run_id not in here],
        total=total,
        number=number,
        part=f"{wanted.offset + 1:,} to {wanted.offset + len(rows):,}" if pages > 1 else "",
        buttons=list(buttons(number, pages)),
        known={column: values_of(store, column) for column in ("model", "framework", "host")},
        choices={"status": STATUSES, "scenario": SCENARIOS},
        nothing="" if rows else why_nothing(store, question),
        notes=shelf.notes,
        store=store.name,
    )


def cells(row: Mapping[str, Any], question: Question) -> dict[str, Any]:
    """A row as its template shows it."""
    run_id = str(row["run_id"])
    return {
        "id": run_id,
        "link": run_link(run_id),
        "chosen": run_id in question.chosen,
        "suffix": run_id.rpartition("-")[2],
        "started": f"{row['started']:%Y-%m-%d %H:%M}",
        "exactly": f"{row['started']:%Y-%m-%d %H:%M:%S} UTC",
        "model": row["model"],
        "random": row["weights"] == "random",
        "scenario": row["scenario"],
        "mode": "" if row["mode"] == "performance" else row["mode"],
        "verdict": verdict(row),
        "kind": KINDS.get(row["status"], ""),
        "figure": "" if row["value"] is None else measured(row["value"], row["unit"] or ""),
        "unverified": UNVERIFIED if row["rules"] != "quick" and row["value"] is not None else "",
        "p90": "" if row["p90_ns"] is None else milliseconds(row["p90_ns"]),
        "accuracy": accuracy(row),
        "missed": row["accuracy_passed"] is False,
        "framework": row["framework"],
        "version": row["framework_version"] or "",
        "set_up": f"{row['device']}, batch {row['batch_size']}",
        "host": row["host"],
        "quality": row["quality"] or "",
        "grade": GRADES.get(row["quality"] or "", ""),
        "marks": list(marks(row["labels"])),
    }


def accuracy(row: Mapping[str, Any]) -> str:
    """The score with its metric; empty for a run without one."""
    if row["accuracy"] is None:
        return ""
    return f"{row['accuracy_metric']} {score({'value': row['accuracy'], 'unit': row['accuracy_unit'] or ''})}"


def marks(labels: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Of each label its text, all that it says, and where it leads; those that mlharness itself gives are in a word."""
    own = {SERIES, PAIR}
    if all(key in labels for key in SWEEP_LABELS):
        own.update(SWEEP_LABELS)
        yield "sweep", ", ".join(f"{key}={labels[key]}" for key in SWEEP_LABELS), sweep_link(labels["sweep"])
    if SERIES in labels:
        pair = f", pair {labels[PAIR]}" if PAIR in labels else ""
        yield "series", f"{SERIES}={labels[SERIES]}{pair}", label_link(SERIES, labels[SERIES])
    for key, value in labels.items():
        if key not in own:
            yield f"{key}={value}", f"{key}={value}", label_link(key, value)


def run_link(run_id: str) -> str:
    """The address of a run's report."""
    return f"/runs/{quote(run_id, safe='', errors='replace')}"


def label_link(key: str, value: str) -> str:
    """The address of the list of all runs with a label."""
    return f"/?{urlencode({'label': f'{key}={value}'}, errors='replace')}"


def buttons(number: int, pages: int) -> Iterator[int]:
    """The pages to which there are buttons: the first, the last, and those around; 0 for a gap."""
    shown = sorted({1, pages, *range(max(1, number - _AROUND), min(pages, number + _AROUND) + 1)})
    for before, one in zip([0, *shown], shown, strict=False):
        if one > before + 1:
            yield 0
        yield one


def why_nothing(store: Store, question: Question) -> str:
    """What to say instead of an empty table."""
    if not question.words:
        return "No runs yet: mlh bench MODEL makes one."
    return " ".join(filter(None, ("No run matches.", misspelt(store, question.wanted, ""))))
