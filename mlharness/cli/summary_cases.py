"""What a command found as cases of a test report: each passes or not as the exit code says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mlharness.cli.attempts import good_enough, grade_of
from mlharness.cli.comparison import doubt
from mlharness.cli.exits import ExitCode, exit_code
from mlharness.cli.summaries import Found, Made
from mlharness.cli.summary import accuracy, rows
from mlharness.cli.sweep_table import where
from mlharness.comparing.groups import PAIR, SERIES
from mlharness.comparing.wording import change, interval
from mlharness.errors import MlharnessError
from mlharness.summarising.summary import Case, Figure, Outcome, told_apart
from mlharness.sweeping.table import PENDING, has_figures
from mlharness.sweeping.wording import status

Document = Mapping[str, Any]
_OUTCOMES: Mapping[str, Outcome] = {"valid": "passed", "invalid": "failed", "failed": "error", "interrupted": "error"}
_ANSWERS = ("faster", "slower", "no difference seen")
_ENDED = ("failed", "interrupted")
"""Verdicts of a run that ended with an error: its own case says why."""


def cases_of(found: Found) -> Iterator[Case]:
    """Everything that the command was asked for, then what ended it if that was an error."""
    made = found.every_run()
    cases = [case for one in made for case in run_cases(found.command, one)]
    if found.comparison is not None:
        cases += comparison_cases(found.comparison)
    if found.table is not None:
        table = found.table()
        cases += [cell_case(f"mlh sweep {table['name']}", row) for row in table["rows"]]
    told = len(made) > len(found.runs) and made[-1].result["status"] in _ENDED
    if found.error is not None and not told:
        cases.append(error_case(found.command, found.error))
    if not cases:
        cases.append(Case(found.command, "command", "skipped", "nothing was run"))
    return told_apart(cases)


def run_cases(suite: str, made: Made) -> Iterator[Case]:
    """A run's verdict; its accuracy, where it has a target; its quality, where one was required."""
    result = made.result
    name = run_name(result)
    yield Case(
        suite,
        name,
        _OUTCOMES[result["status"]],
        "; ".join(result["invalid_reasons"]),
        [*rows(result), *(("warning", text) for text in result["warnings"]), ("run", result["run_id"])],
        list(run_figures(result)),
        seconds_of(result),
        result["run_id"],
    )
    score = result["accuracy"]
    if score and score["passed"] is not None:
        yield check_case(suite, f"{name}: accuracy", score["passed"], accuracy(score), result["run_id"])
    if made.required is not None:
        good = good_enough(dict(result), made.required)
        told = f"{grade_of(dict(result))}, and {made.required} is required"
        yield check_case(suite, f"{name}: quality", good, told, result["run_id"])


def check_case(suite: str, name: str, passed: bool, told: str, run_id: str) -> Case:
    """Something that was required of a run."""
    if passed:
        return Case(suite, name, details=[("found", told)], run_id=run_id)
    return Case(suite, name, "failed", told, run_id=run_id)


def run_name(result: Document) -> str:
    """What was run, in words that are the same for every such run; of a pair also which side and turn."""
    framework, labels = result["framework"], result["labels"]
    mode = {"performance": "", "accuracy": ", accuracy", "both": ", performance and accuracy"}[result["mode"]]
    pair = f", pair {labels[PAIR]} {labels[SERIES][-1:]}" if PAIR in labels and labels.get(SERIES) else ""
    return f"{result['model']['name']} on {framework['name']}, {framework['device']}, {result['scenario']}{mode}{pair}"


def run_figures(result: Document) -> Iterator[Figure]:
    """LoadGen's figure and latencies, the accuracy, and the harness's own cost."""
    if result["metric"]:
        yield Figure(result["metric"]["name"], result["metric"]["value"], result["metric"]["unit"])
    for name, value in (result["latency_ns"] or {}).items():
        yield Figure(f"latency_{name}", value, "ns")
    if result["accuracy"]:
        yield Figure("accuracy", result["accuracy"]["value"], result["accuracy"]["unit"])
    if result["harness"]["us_per_query"] is not None:
        yield Figure("harness_us_per_query", result["harness"]["us_per_query"], "us")


def seconds_of(result: Document) -> float | None:
    """How long the run took with all that belongs to it; None when its times are none."""
    try:
        begun, ended = (datetime.fromisoformat(result[key]) for key in ("started", "finished"))
    except ValueError:
        return None
    return (ended - begun).total_seconds()


def comparison_cases(document: Document) -> Iterator[Case]:
    """Each metric, which fails nobody by itself, and each condition of ``--fail-if``."""
    for comparison in document["comparisons"]:
        for metric in comparison["metrics"]:
            yield metric_case(comparison, metric)
        if comparison["accuracy"] is not None:
            yield accuracy_case(comparison, comparison["accuracy"])
    for check in document["checks"]:
        outcome: Outcome = "failed" if check["failed"] else "passed"
        message = f"--fail-if {check['condition']} holds for {check['b']}" if check["failed"] else ""
        warning = [("warning", doubt(check))] if doubt(check) else []
        yield Case(suite_of(check), f"--fail-if {check['condition']}", outcome, message, warning)


def suite_of(pair: Document) -> str:
    """The two sides of a comparison or a check."""
    return f"{pair['b']} against {pair['a']}"


def metric_case(comparison: Document, metric: Document) -> Case:
    """What became of one metric; skipped where there is no answer."""
    answered = metric["verdict"] in _ANSWERS
    told = [("verdict", metric["verdict"]), ("change", change(metric["ratio"])), ("interval", interval(metric))]
    sides = [Figure(side, metric[side]["mean"], metric["unit"]) for side in "ab" if metric[side]["mean"] is not None]
    ratio = [] if metric["ratio"] is None else [Figure("ratio", metric["ratio"], "")]
    bounds = zip(("ratio_low", "ratio_high"), metric["interval"] or (), strict=False)
    return Case(
        suite_of(comparison),
        metric["name"],
        "passed" if answered else "skipped",
        "" if answered else metric["problem"] or metric["verdict"],
        [(name, text) for name, text in told if text],
        [*sides, *ratio, *(Figure(name, bound, "") for name, bound in bounds)],
    )


def accuracy_case(comparison: Document, found: Document) -> Case:
    """What became of the accuracies."""
    answered = found["verdict"] not in ("not enough data", "not comparable")
    sides = [Figure(side, found[side]["value"], found["unit"]) for side in "ab"]
    outcome: Outcome = "passed" if answered else "skipped"
    told = "" if answered else found["verdict"]
    return Case(suite_of(comparison), found["metric"], outcome, told, [("verdict", found["verdict"])], sides)


def cell_case(suite: str, row: Document) -> Case:
    """A row of a sweep's table."""
    outcome, message = judge(row)
    score = row["accuracy"]
    found = [("throughput", row["throughput"], "samples/s"), ("accuracy", score, score["unit"] if score else "")]
    remedy = [("remedy", row["remedy"])] if row["remedy"] else []
    found += [(f"latency_{key}", value, "ns") for key, value in (row["latency_ns"] or {}).items()]
    return Case(
        suite,
        where(row),
        outcome,
        message,
        [*remedy, ("status", status(row)), *(("run", run) for run in row["runs"])],
        [Figure(name, one["value"], unit) for name, one, unit in found if one],
        run_id=row["runs"][0] if len(row["runs"]) == 1 else "",
    )


def judge(row: Document) -> tuple[Outcome, str]:
    """Whether a cell has what was asked for, and why not."""
    score = row["accuracy"]
    if row["status"] == PENDING:
        return "skipped", "not run yet"
    if has_figures(row) and "bug" not in row["counts"]:
        if score and score["passed"] is False:
            measured = f"{score['metric']} {score['value']:.4g} {score['unit']}".rstrip()
            return "failed", f"{measured}: target {score['target']:g} not met"
        return "passed", ""
    lines = row["message"].strip().splitlines() or [""]  # of a bug it is a traceback
    return "failed" if row["status"] == "invalid" else "error", lines[-1]


def error_case(suite: str, error: BaseException) -> Case:
    """What ended the command."""
    if exit_code(error) is ExitCode.INTERRUPTED:
        message = error.message if isinstance(error, MlharnessError) else "interrupted"
    elif isinstance(error, MlharnessError):
        message = error.message
    else:
        message = f"a bug in mlharness: {type(error).__name__}: {error}"
    details: Sequence[tuple[str, str]] = ()
    if isinstance(error, MlharnessError) and error.remedy:
        details = [("remedy", error.remedy)]
    return Case(suite, "command", "error", message, details)
