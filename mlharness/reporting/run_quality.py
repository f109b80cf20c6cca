"""How the run went second by second, what disturbed it, and what mlharness itself took."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from mlharness.reporting import run_charts
from mlharness.reporting.charts import make_chart
from mlharness.reporting.files import Document, RunFiles
from mlharness.reporting.page import Cell, Column, Section, make_table
from mlharness.reporting.rendering import render
from mlharness.telemetry import Sample
from mlharness.wording import milliseconds

TEST = "measure"
"""The phase of a runner in which LoadGen's test goes on."""
LEAST = 2
"""With fewer points there is nothing to see over time."""


def over_time(files: RunFiles) -> Section | None:
    """Throughput and the host over time; None for a run so short that there is no course."""
    result = files.result or {}
    stretches = (result.get("quality") or {}).get("stretches", ())
    found = tested(files.samples, result["duration_s"]) if result.get("metric") else []
    parts = Markup("")
    if sum(sample.samples_s is not None for sample in found) >= LEAST:
        parts += make_chart(
            run_charts.throughput_over_time(found, stretches), "samples a second over the time of the test",
            "Samples that were completed in each second of the test, as the parent process counted them.",
        )  # fmt: skip
    host = run_charts.host_over_time(files.samples, stretches) if len(files.samples) >= LEAST else None
    if host is not None:
        shaded = " Shaded: contaminated stretches of the test." if stretches else ""
        parts += make_chart(host, "what else took the processors over the time of the run",
                            f"What the run lost to others, from its start to its end.{shaded}")  # fmt: skip
    return Section("Over time", parts) if parts else None


def tested(samples: Sequence[Sample], duration_s: float) -> list[Sample]:
    """The samples of the performance test: of the runs of LoadGen that there were, the one that lasted as long."""
    phases = [list(group) for name, group in groupby(samples, lambda sample: sample.phase) if name == TEST]

    def apart(phase: list[Sample]) -> float:
        return abs(phase[-1].end_s - phase[0].start_s - duration_s)

    return min(reversed(phases), key=apart, default=[])


def disturbances(files: RunFiles) -> Section | None:
    """The grade with its reasons, and the harness's own cost; None for a run that has neither."""
    result = files.result
    if not result or not (result["quality"] or result["harness"]["us_per_query"] is not None):
        return None
    columns = (Column("From", True), Column("To", True), Column("What disturbed"))
    stretches = (result["quality"] or {}).get("stretches", ())
    rows: list[list[Cell | str]] = [
        [Cell(f"{one['start_s']:.1f} s", one["start_s"]), Cell(f"{one['end_s']:.1f} s", one["end_s"]),
         "; ".join(one["reasons"])]
        for one in stretches
    ]  # fmt: skip
    unit = "sample" if result["scenario"] == "Offline" else "query"
    html = render(
        "run/quality.html",
        quality=result["quality"],
        stretches=make_table(columns, rows, "Contaminated stretches, in seconds from the run's start") if rows else "",
        costs=costs(result["harness"], unit),
        instances=result["framework"]["instances"],
    )
    return Section("Quality and cost", html)


def costs(harness: Document, unit: str) -> list[tuple[str, str]]:
    """What a query (Offline: a sample) took of mlharness, beside the model; nothing where no query was timed."""
    if harness["us_per_query"] is None:
        return []
    words = {
        "us_per_query": f"mlharness, a {unit}, with LoadGen's completion call",
        "predict_us_per_query": "predict",
        "postprocess_us_per_query": "postprocessing",
        "null_floor_us": "null floor: a query without a model",
    }
    return [(text, milliseconds(1000 * harness[key])) for key, text in words.items() if harness[key] is not None]
