"""What came of a run: verdict, reasons, figures, accuracy, the search for a rate."""

from __future__ import annotations

from markupsafe import Markup

from mlharness.reporting import run_charts
from mlharness.reporting.charts import make_chart
from mlharness.reporting.files import Document, RunFiles
from mlharness.reporting.page import Cell, Column, Section, make_table
from mlharness.reporting.rendering import render
from mlharness.wording import FIGURES, digits, measured, milliseconds, score


def outcome(files: RunFiles) -> Section:
    """Verdict and validity: why a run is not valid, what to change, and what a reader must know."""
    result = files.result or {}
    advice = dict.fromkeys(found["text"] for found in result.get("advice", ()))
    quality = result.get("quality")
    html = render(
        "run/outcome.html",
        status=files.status,
        rules=result.get("rules"),
        unverified=result.get("unverified"),
        reasons=result.get("invalid_reasons", ()),
        advice=list(advice),
        quality=quality if quality and quality["grade"] in ("C", "D") else None,
        warnings=[*result.get("warnings", ()), *files.troubles],
        log=files.log_end if files.status in ("failed", "interrupted", "incomplete") else "",
    )
    return Section("Verdict", html)


def figures(files: RunFiles) -> Section | None:
    """LoadGen's figure, and those beside it; None for a run that has none."""
    result = files.result
    if not result or not (result["metric"] or result["accuracy"]):
        return None
    return Section("Figures", render("run/figures.html", main=main_figure(result), rest=list(beside(result))))


def main_figure(result: Document) -> tuple[str, str] | None:
    """The metric in words, and its value."""
    found = result["metric"]
    return (FIGURES.get(found["name"], found["name"]), measured(found["value"], found["unit"])) if found else None


def beside(result: Document) -> list[tuple[str, str]]:
    """Names and values of what goes with the metric."""
    found, latency = list[tuple[str, str]](), result["latency_ns"]
    if result["accuracy"]:
        found.append((f"accuracy ({result['accuracy']['metric']})", score(result["accuracy"])))
    if latency and result["queries"] > 1:
        found += [(name, milliseconds(latency[key])) for name, key in
                  (("median latency", "p50"), ("p90", "p90"), ("p99", "p99"))]  # fmt: skip
    if result["samples"] is not None:
        found.append(("samples", f"{result['samples']:,}"))
        if result["queries"] != result["samples"]:
            found.append(("queries", f"{result['queries']:,}"))
        found.append(("duration", f"{result['duration_s']:,.1f} s"))
    if result["quality"]:
        found.append(("quality of the run", result["quality"]["grade"]))
    return found


def accuracy(files: RunFiles) -> Section | None:
    """The score with its interval and its target; None where none was measured."""
    found = files.result and files.result["accuracy"]
    if not found:
        return None
    told = f"{found['metric']} is {score(found)}"
    chart = make_chart(run_charts.score_interval(found), told) if found["interval"] else Markup("")
    interval = [f"{bound:.{digits(found)}f}" for bound in found["interval"] or ()]
    return Section("Accuracy", render("run/accuracy.html", found=found, score=score(found), interval=interval) + chart)


def search(files: RunFiles) -> Section | None:
    """The trials of Server's rate search; None where no rate was searched."""
    calibration = files.result and files.result["calibration"]
    trials = calibration["trials"] if calibration else ()
    if not trials:
        return None
    chart = make_chart(
        run_charts.search_trials(trials),
        f"{len(trials)} rates were tried",
        "The last trial that confirms is the figure.",
    )
    columns = (Column("Trial", True), Column("Purpose"), Column("Queries a second", True), Column("Queries", True),
               Column("p99", True), Column("LoadGen's rules"))  # fmt: skip
    rows = [
        [
            str(number),
            trial["purpose"],
            Cell(f"{trial['target_qps']:,.4g}", trial["target_qps"]),
            Cell(f"{trial['queries']:,}", trial["queries"]),
            Cell(
                "" if trial["p99_latency_ns"] is None else milliseconds(trial["p99_latency_ns"]),
                trial["p99_latency_ns"],
            ),
            Cell("met" if trial["valid"] else "not met", kind="good" if trial["valid"] else "bad"),
        ]
        for number, trial in enumerate(trials, 1)
    ]
    return Section("Search for the rate", chart + make_table(columns, rows, "Every trial"))
