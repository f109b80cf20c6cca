"""The comparison document: from groups of runs to ``schemas/comparison.v1.schema.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mlharness.comparing.accuracy import accuracy_difference
from mlharness.comparing.effects import Effect, geometric_mean, independent, paired
from mlharness.comparing.fairness import Difference, differences
from mlharness.comparing.groups import Group, LeftOut, check_groups, pairs
from mlharness.comparing.metrics import Metric, metrics_of
from mlharness.comparing.runs import Run
from mlharness.comparing.traces import compare_traces
from mlharness.comparing.verdict import LEAST_RUNS, Verdict, verdict_of
from mlharness.errors import UserError

SCHEMA_VERSION = 1
CONFIDENCE = 0.95


def compare_groups(groups: Sequence[Group], anyway: bool = False) -> dict[str, Any]:
    """The first group against each of the others.

    Args:
        groups: two or more, each with at least one run.
        anyway: rank pairs that are unfair, too; the document says so.

    Raises:
        UserError: there is nothing to compare, or a run stands on two sides.
    """
    if len(groups) < 2:
        raise UserError("there is nothing to compare", "Name two runs, or two groups of runs.")
    check_groups(groups)
    baseline, *others = groups
    # Bonferroni: all intervals of a metric hold at once with 95 %, however many groups were asked for
    confidence = 1 - (1 - CONFIDENCE) / len(others)
    return {
        "schema_version": SCHEMA_VERSION,
        "groups": [describe_group(group) for group in groups],
        "comparisons": [compare_pair(baseline, other, confidence, anyway) for other in others],
        "checks": [],
    }


def compare_pair(a: Group, b: Group, confidence: float = CONFIDENCE, anyway: bool = False) -> dict[str, Any]:
    """One entry of ``comparisons``: what differs, then (when that is fair) metric by metric by how much."""
    ones, others = a.used(), b.used()
    found = differences(ones[0], others[0]) if ones and others else []
    unfair = [*why_unfair(found), *(f"{group.name}: {why}" for group in (a, b) if (why := group.mixed()))]
    ranked = bool(ones and others) and (not unfair or anyway)
    matched = pairs(ones, others)
    kept = ([one for one, _ in matched], [other for _, other in matched]) if matched is not None else (ones, others)
    metrics = metrics_of(*kept) if ranked and kept[0] else []
    shown = [compare_metric(metric, *kept, confidence, matched is not None) for metric in metrics]
    accuracy = accuracy_difference(ones, others) if ranked else None
    traces, trouble = read_traces(ones, others) if ranked else (None, [])
    return {
        "a": a.name,
        "b": b.name,
        "ranked": ranked,
        "anyway": bool(unfair) and anyway,
        "unfair": unfair,
        "differences": [asdict(difference) for difference in found],
        "design": "pairs" if matched is not None else "independent",
        "pairs": len(matched) if matched is not None else None,
        "without_partner": [asdict(one) for one in without_partner(ones, others, kept)],
        "confidence": confidence,
        "metrics": shown,
        "accuracy": accuracy,
        "verdict": overall(ranked, shown, accuracy),
        "notes": [*notes(ones, others, matched is not None, confidence), *trouble] if ranked else [],
        "traces": traces,
    }


def describe_group(group: Group) -> dict[str, Any]:
    """Which runs, and what they are of: the facts of the first one that counts, or of the first at all."""
    used = group.used()
    grades = Counter(run.result["quality"]["grade"] if run.result["quality"] else "unknown" for run in used)
    return {
        "name": group.name,
        "runs": [run.id for run in used],
        "left_out": [asdict(one) for one in group.left_out()],
        "about": about((used or group.runs)[0]),
        "grades": dict(sorted(grades.items())),
    }


def about(run: Run) -> dict[str, Any]:
    """What a reader wants to know first."""
    result = run.result
    framework = {key: result["framework"][key] for key in ("device", "instances", "threads", "batch_size")}
    return {
        "model": result["model"]["name"],
        "weights": result["model"]["weights"],
        "framework": result["framework"]["name"],
        "framework_version": result["framework"]["version"],
        **framework,
        "dataset": result["dataset"]["name"],
        "scenario": result["scenario"],
        "rules": result["rules"],
        "unverified": result["unverified"],
        "host": result["system"].get("host"),
        "cpu": result["system"].get("cpu"),
    }


def why_unfair(found: Sequence[Difference]) -> list[str]:
    """A reason for each aspect that makes ranking unfair."""
    reasons: dict[str, list[Difference]] = {}
    for difference in found:
        if difference.unfair:
            reasons.setdefault(f"{difference.aspect}: {difference.unfair}", []).append(difference)
    return [f"{reason} ({', '.join(one.name for one in members)})" for reason, members in reasons.items()]


def without_partner(a: Sequence[Run], b: Sequence[Run], kept: tuple[list[Run], list[Run]]) -> list[LeftOut]:
    """Runs that count, but whose partner does not."""
    ids = {run.id for side in kept for run in side}
    return [LeftOut(run.id, "the other run of its pair does not count") for run in (*a, *b) if run.id not in ids]


def compare_metric(
    metric: Metric, a: Sequence[Run], b: Sequence[Run], confidence: float, in_pairs: bool
) -> dict[str, Any]:
    """One metric: the runs' values, the ratio with its interval, what could have been seen, and the verdict."""
    values = [[metric.read(run) for run in side] for side in (a, b)]
    problem = metric.problem or ("a value is not positive" if min(min(side) for side in values) <= 0 else "")
    effect: Effect | None = None
    verdict: Verdict = "not comparable"
    if not problem and min(map(len, values)) < LEAST_RUNS:
        problem, verdict = f"{len(a)} and {len(b)} runs, and {LEAST_RUNS} a side are needed", "not enough data"
    elif not problem:
        effect = (paired if in_pairs else independent)(values[0], values[1], confidence)
        verdict = verdict_of(effect, metric.better)
    ratio = geometric_mean(values[1]) / geometric_mean(values[0]) if verdict != "not comparable" else None
    return {
        "name": metric.name,
        "unit": metric.unit,
        "better": metric.better,
        "decides": metric.figure,
        "a": side(values[0]),
        "b": side(values[1]),
        "ratio": ratio,
        "interval": [effect.low, effect.high] if effect else None,
        "p": effect.p if effect else None,
        "smallest": effect.smallest if effect else None,
        "verdict": verdict,
        "problem": problem or None,
    }


def side(values: Sequence[float]) -> dict[str, Any]:
    """The values of one side, in the order of the runs (or pairs), and their geometric mean."""
    positive = min(values) > 0
    return {"n": len(values), "mean": geometric_mean(values) if positive else None, "values": list(values)}


def read_traces(a: Sequence[Run], b: Sequence[Run]) -> tuple[dict[str, Any] | None, list[str]]:
    """What the traces say, and a note when they cannot be read: the figures are none of theirs."""
    try:
        return compare_traces(a, b), []
    except UserError as error:
        return None, [f"traces are left out: {error.message}"]


def overall(ranked: bool, metrics: Sequence[dict[str, Any]], accuracy: dict[str, Any] | None) -> str:
    """The verdict of the metric that decides; that of the accuracy when there is no figure."""
    if not ranked:
        return "not ranked"
    decides = next((metric["verdict"] for metric in metrics if metric["decides"]), None)
    return str(decides or (accuracy["verdict"] if accuracy else "not enough data"))


def notes(a: Sequence[Run], b: Sequence[Run], in_pairs: bool, confidence: float) -> list[str]:
    """What a reader of the difference must know."""
    found = []
    both = [*a, *b]
    disturbed = sum(1 for run in both if run.result["quality"] and run.result["quality"]["grade"] in ("C", "D"))
    if disturbed:
        found.append(f"{disturbed} of {len(both)} runs have quality C or D: the host was disturbed")
    if any(run.result["model"]["weights"] == "random" for run in both):
        found.append("random weights: the figures are about speed only")
    if any(run.result["unverified"] for run in both):
        found.append(next(str(run.result["unverified"]) for run in both if run.result["unverified"]))
    if not in_pairs and one_after_the_other(a, b):
        found.append(
            "one side was made after the other: if the machine drifted, that is part of the difference; "
            "mlh bench A --against B takes turns"
        )
    if confidence > CONFIDENCE:
        found.append(f"intervals of {100 * confidence:.4g} % each, so that all of them hold together with 95 %")
    return found


def one_after_the_other(a: Sequence[Run], b: Sequence[Run]) -> bool:
    """True when all runs of one side were made before those of the other, on one host."""
    if (
        not a
        or not b
        or {run.result["system"].get("host") for run in a} != {run.result["system"].get("host") for run in b}
    ):
        return False
    started = [[str(run.result["started"]) for run in side] for side in (a, b)]
    return max(started[0]) < min(started[1]) or max(started[1]) < min(started[0])
