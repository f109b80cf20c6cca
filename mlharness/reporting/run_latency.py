"""How long queries took: LoadGen's percentiles, and single queries where a trace has kept them."""

from __future__ import annotations

from markupsafe import Markup

from mlharness.errors import UserError
from mlharness.reporting import run_charts
from mlharness.reporting.charts import make_chart
from mlharness.reporting.files import Document, RunFiles
from mlharness.reporting.page import Section
from mlharness.reporting.queries import Latencies, read_latencies
from mlharness.reporting.rendering import render
from mlharness.wording import milliseconds


def latencies(files: RunFiles) -> Section | None:
    """The distribution; None for a run that has no latencies of more than one query, and no trace."""
    result = files.result
    if not result:
        return None
    parts = Markup("")
    if result["latency_ns"] and result["queries"] > 1:
        parts += measured_latencies(result["latency_ns"], result["queries"])
    if result["trace"] and (result["trace"]["levels"].get("application") or {}).get("state") == "recorded":
        parts += traced_latencies(files, result)
    return Section("Latency", parts) if parts else None


def measured_latencies(found: Document, queries: int) -> Markup:
    """Of all queries of the measured run."""
    return make_chart(
        run_charts.percentiles(found),
        f"half of the queries took up to {milliseconds(found['p50'])}, the longest {milliseconds(found['max'])}",
        f"All {queries:,} queries of the measured run, by LoadGen's clock. Dashed: the mean, "
        f"{milliseconds(found['mean'])}.",
    )


def traced_latencies(files: RunFiles, result: Document) -> Markup:
    """Of single queries (Offline: batches) of the traced run, which the measured run does not keep."""
    kind = "batch" if result["scenario"] == "Offline" else "query"
    try:
        found = read_latencies(files.directory, kind)
    except UserError as error:
        return render("note.html", text=error.message, kind="warn")
    if not found.count:
        return Markup("")
    slowdown = (result["trace"]["slowdown"] or {}).get("percent")
    words = {"query": "queries", "batch": "batches"}[kind]
    return (
        render("run/traced.html", words=words, count=found.count, slowdown=slowdown)
        + make_chart(
            run_charts.histogram(found.bins, found.marks, words),
            f"{words} by latency",
            f"{words.capitalize()} by latency.",
        )
        + make_chart(run_charts.latency_over_time(found.points), f"latency of {words} over time", course(found, words))
    )


def course(found: Latencies, words: str) -> str:
    """What the chart over time shows."""
    if found.points and "ms" in found.points[0]:
        return f"Each of the {words} when it began."
    return f"Median, 90th percentile and largest of the {words} that began in each stretch of time."
