"""A result as people read it: verdict first, then the figure, then what it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from mlharness.cli.output import Output, printable
from mlharness.wording import FIGURES, digits, measured, milliseconds, score, verdict

_STYLES = {"valid": "bold green", "invalid": "bold red", "failed": "bold red", "interrupted": "bold yellow"}


def show_result(output: Output, result: Mapping[str, Any], directory: Path) -> None:
    """Print a result on stdout."""
    console = output.console()
    console.print(Text(printable(headline(result)), style=_STYLES[result["status"]]))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # a path must stay whole, for copying
    for name, value in [*rows(result), ("run", str(directory))]:
        table.add_row(Text(name, style="dim"), Text(printable(value)))
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
    output.warn(result["warnings"])


def headline(result: Mapping[str, Any]) -> str:
    """What was run and the verdict: ``VALID (quick)`` for a quick run, VALID for one by MLPerf's rules."""
    framework = result["framework"]
    what = f"{result['model']['name']} on {framework['name']}, {framework['device']}"
    return f"{what}, {result['scenario']}: {verdict(result)}"


def rows(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of each line."""
    if result["invalid_reasons"]:
        yield "why", "\n".join(result["invalid_reasons"])
    if result["advice"]:
        # Rules that ask for the same change say so in the same words.
        yield "try", "\n".join(dict.fromkeys(advice["text"] for advice in result["advice"]))
    if result["metric"]:
        yield FIGURES[result["metric"]["name"]], figure(result)
    if result["latency_ns"]:
        latency = result["latency_ns"]
        yield (
            "latency",
            ", ".join(f"{key} {milliseconds(latency[key])}" for key in ("mean", "p50", "p90", "p99", "max")),
        )
        count = f"{result['samples']:,} samples in {result['queries']:,} queries, {result['duration_s']:.1f} s"
        yield "completed", count if result["queries"] > 1 else f"{result['samples']:,} samples in one query"
    if result["accuracy"]:
        yield "accuracy", accuracy(result["accuracy"])
    if result["harness"]["us_per_query"] is not None:
        yield "harness", harness(result)
    if result["quality"]:
        yield "quality", quality(result["quality"])
    if result["trace"]:
        yield from traced(result["trace"])
    yield "set up", setup(result)


def figure(result: Mapping[str, Any]) -> str:
    """The figure with its unit; an MLPerf-rules figure says that nobody verified it."""
    metric = result["metric"]
    value = measured(metric["value"], metric["unit"])
    return f"{value} ({result['unverified']})" if result["unverified"] else value


def accuracy(found: Mapping[str, Any]) -> str:
    """The score, how sure it is, and whether it meets its target."""
    text = f"{found['metric']} {score(found)}, n = {found['n']}"
    if found["interval"]:
        low, high = (f"{bound:.{digits(found)}f}" for bound in found["interval"])
        text += f", 95 % interval {low} to {high}"
    if found["details"]:
        text += f" ({', '.join(f'{name} {value:.4g}' for name, value in found['details'].items())})"
    if found["passed"] is None:
        return f"{text}, no target"
    return f"{text}, target {found['target']:g}: {'met' if found['passed'] else 'NOT met'}"


def harness(result: Mapping[str, Any]) -> str:
    """What mlharness took of each query, and what that figure contains."""
    found, instances = result["harness"], result["framework"]["instances"]
    unit = "sample" if result["scenario"] == "Offline" else "query"
    # Instances work at the same time: a sum over them may be more than the latency of a query.
    summed = f", summed over {instances} instances" if instances > 1 else ""
    floor = f" (null floor {found['null_floor_us']:.1f} us)" if found["null_floor_us"] else ""
    return f"{found['us_per_query']:.1f} us a {unit}{summed}, with LoadGen's completion call{floor}"


def quality(found: Mapping[str, Any]) -> str:
    """The grade, why it is not A, and which seconds of the run were disturbed."""
    stretches = ", ".join(f"{stretch['start_s']:.0f}-{stretch['end_s']:.0f} s" for stretch in found["stretches"])
    reasons = "; ".join(found["reasons"])
    text = f"{found['grade']}: {reasons}" if reasons else str(found["grade"])
    return f"{text}; disturbed: {stretches}" if stretches else text


def traced(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was traced and what was not, and why; what tracing cost."""
    levels = found["levels"]
    recorded = [f"{name} {about['spans']:,}" for name, about in levels.items() if about["state"] == "recorded"]
    slowdown = found["slowdown"]
    told = [found["failure"]] if found["failure"] else []
    told += [f"spans: {', '.join(recorded)}"] if recorded else []
    told += [f"{name}: {about['state']} ({'; '.join(about['reasons'])})" for name, about in levels.items()
             if about["state"] != "recorded"]  # fmt: skip
    if slowdown:
        how = "slower" if slowdown["percent"] >= 0 else "faster"
        told.append(f"the traced run was {how} by {abs(slowdown['percent']):.1f} %; the figure is of the one before it")
    yield "trace", "\n".join(told)
    if found.get("leveled"):
        yield "levels", "\n".join(map(level_cost, found["leveled"]["sets"][1:]))


def level_cost(found: Mapping[str, Any]) -> str:
    """What a level, and those further out, cost together, and what it adds to them."""
    name = found["levels"][-1]
    if found["missing"]:
        return f"{name}: {found['missing']}"
    if found["overhead"] is None:
        return f"{name}: its runs failed"
    added = f", of which it adds {slower_by(found['added'])}" if found["added"] else ""
    return f"up to {name}: {slower_by(found['overhead'])}{added}"


def slower_by(found: Mapping[str, Any]) -> str:
    """An overhead with its interval."""
    if found["interval"] is None:
        return f"{found['percent']:+.1f} % (one round)"
    low, high = found["interval"]
    return f"{found['percent']:+.1f} % (95 % interval {low:+.1f} to {high:+.1f})"


def setup(result: Mapping[str, Any]) -> str:
    """What the figure stands on: framework, instances, batch, data set; what a failed run never learnt is left out."""
    framework, dataset = result["framework"], result["dataset"]
    parts = (
        " ".join(filter(None, (framework["name"], framework["version"]))),
        f"{framework['instances']} x {framework['threads']} threads",
        f"batch {framework['batch_size']}",
        dataset["name"] + (f" ({dataset['count']} samples)" if dataset["count"] is not None else ""),
        result["system"].get("cpu"),
    )
    return ", ".join(filter(None, parts))
