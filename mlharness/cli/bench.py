"""``mlh bench``: one model, one scenario, one honest figure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.exits import ExitCode, worst
from mlharness.cli.options import (
    allow_http_option,
    block_option,
    complete_datasets,
    complete_framework_options,
    device_option,
    framework_option,
    model_argument,
    output_options,
)
from mlharness.cli.output import Output
from mlharness.cli.summaries import Found, Made, summarised, summary_option
from mlharness.errors import UserError
from mlharness.plan import MODES, RULES, SCENARIOS
from mlharness.store.filtering import split_label

if TYPE_CHECKING:
    from mlharness.choices import Choices
    from mlharness.plan import RunPlan
    from mlharness.plugins import Plugins
    from mlharness.request import Request


class _Amount(click.FloatRange):
    """A float range that ends, and in which NaN does not lie: every comparison with NaN is false."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does; fails for NaN."""
        number = super().convert(value, param, ctx)
        return number if number == number else self.fail(f"{value} is not a number.", param, ctx)


_AT_LEAST_1 = click.IntRange(min=1, max=2**63 - 1)  # LoadGen's integers
_POSITIVE = _Amount(min=0, min_open=True, max=1e9)  # more would overflow as LoadGen's nanoseconds
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _choice(values: Sequence[str]) -> click.Choice[str]:
    return click.Choice(values, case_sensitive=False)


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--dataset", metavar="NAME", shell_complete=complete_datasets, help="Data set, by name or path."),
    click.option("--data-dir", type=_FOLDER, metavar="DIR", help="Where the data set's files are; else DATA_DIR."),
    framework_option,
    click.option("--scenario", type=_choice(SCENARIOS), default="SingleStream", show_default=True, help="LoadGen's."),
    click.option("--mode", type=_choice(MODES), default="performance", show_default=True, help="LoadGen's, or both."),
    click.option("--rules", type=_choice(RULES), default="quick", show_default=True, help="About 10 s, or MLPerf's."),
    device_option,
    click.option("--instances", type=click.IntRange(1, 4096), help="Predictors that work side by side."),
    click.option("--threads", type=_AT_LEAST_1, help="Threads of each predictor."),
    click.option("--batch-size", type=_AT_LEAST_1, help="Largest batch handed to a predictor."),
    click.option(
        "--max-wait", type=_Amount(min=0, max=1e9), metavar="MS", help="Server: longest wait to fill a batch."
    ),
    click.option("--target-qps", type=_POSITIVE, help="Server: rate of queries; without it the rate is searched."),
    click.option("--target-latency", type=_POSITIVE, metavar="MS", help="Server: latency limit."),
    click.option("--duration", type=_POSITIVE, metavar="S", help="Least duration of a performance run."),
    click.option("--min-queries", type=_AT_LEAST_1, help="Fewest queries of a performance run."),
    click.option("--count", type=_AT_LEAST_1, metavar="N", help="Use only the first N samples of the data set."),
    click.option("--warmup", type=_AT_LEAST_1, default=3, show_default=True, help="Batches before anything is timed."),
    click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Seed of LoadGen's schedule and sample order."),
    click.option("--repeat", type=_AT_LEAST_1, help="Run the plan N times; else once, or 7 times --against another."),
    click.option(
        "--against",
        metavar="B",
        help='Compare with B, in turns: MODEL, "MODEL --option k=v" or "--framework NAME"; the rest is as for A.',
    ),
    click.option(
        "--fail-if",
        "conditions",
        metavar="[METRIC:]slower:X%",
        multiple=True,
        help="With --against: exit with 3 when B is seen to be slower (or faster) by so much; repeatable.",
    ),
    click.option("--anyway", is_flag=True, help="With --against: rank an unfair pair, too; the result says so."),
    click.option(
        "--require-quality",
        type=_choice("ABC"),
        help="Run again when the host was so disturbed that the grade is worse.",
    ),
    click.option("--attempts", type=_AT_LEAST_1, default=3, show_default=True, help="Most runs for --require-quality."),
    click.option(
        "--trace",
        metavar="LEVELS",
        help="Trace a second, shorter run: levels joined by commas, or full.",
    ),
    click.option("--trace-sample", metavar="N", help="Keep every Nth query of the trace; first:N the first N."),
    click.option(
        "--leveled",
        is_flag=True,
        help="With --trace: five more rounds, level by level, for the cost of each.",
    ),
    click.option("--label", "labels", metavar="K=V", multiple=True, help="Note on the result; can be repeated."),
    click.option(
        "--option",
        "options",
        metavar="KEY=VALUE",
        multiple=True,
        shell_complete=complete_framework_options,
        help="Option of the framework; repeatable.",
    ),
    click.option("--user-conf", type=_FILE, help="LoadGen's user.conf."),
    click.option("--audit-conf", type=_FILE, help="LoadGen's audit.config."),
    click.option("--system-description", type=_FILE, help="JSON with MLPerf's fields that only people know."),
    click.option("--trust", is_flag=True, help="Let the manifest's Python be executed, now and later."),
    allow_http_option,
    click.option("--stall-timeout", type=_POSITIVE, metavar="S", help="End a run that shows no progress for so long."),
    click.option("--output", "root", type=click.Path(path_type=Path), help="Folder for run directories."),
    click.option("--dry-run", is_flag=True, help="Print the plan, run nothing."),
)


def _bench_options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("bench")  # the name by which configuration files know it
@model_argument
@_bench_options
@summary_option
@block_option
@output_options
def command(model: str, summaries: Sequence[str], output: Output, **chosen: Any) -> ExitCode:
    """Measure a model under MLPerf's rules.

    MODEL is a manifest's name or path. The result is printed and kept in a run directory of its own.
    """
    against = [] if chosen["against"] is None else ["--against", chosen["against"]]
    written = shlex.join(("mlh", "bench", model, *against))
    with summarised(summaries, written, output, chosen["dry_run"]) as found:
        return _measure(model, output=output, found=found, **chosen)


def _measure(model: str, block: Sequence[str], output: Output, found: Found, **chosen: Any) -> ExitCode:
    from mlharness.cli.discovery import discover
    from mlharness.errors import PluginError
    from mlharness.interrupts import interruptible
    from mlharness.paths import runs_dir
    from mlharness.request import prepare

    plugins = discover(block)
    repeat, dry_run, root = chosen.pop("repeat"), chosen.pop("dry_run"), chosen.pop("root")
    way = _Way(plugins, output, found, chosen.pop("require_quality"), chosen.pop("attempts"))
    against, check = chosen.pop("against"), _Check(chosen.pop("anyway"), tuple(chosen.pop("conditions")))
    if way.required and chosen["mode"] == "accuracy":
        raise UserError("--require-quality: only a performance run has a grade", "Use --mode performance or both.")
    if against is None and check != _Check():
        raise UserError("--fail-if and --anyway are for a comparison", "Add --against B.")
    try:
        asked = [(model, chosen), *([] if against is None else [_other(against, model, chosen)])]
        requests = [
            prepare(name, _choices(**choices), plugins, root or runs_dir(), tuple(block)) for name, choices in asked
        ]
        if dry_run:
            _show_plans(output, [request.plan_without_fetching() for request in requests])
            return ExitCode.DONE
        with interruptible():
            if against is None:
                return _run(requests[0], repeat or 1, way)
            return _run_against(requests, (model, against), repeat, way, check)
    except PluginError as error:
        raise plugins.explain(error) from error


@dataclass(frozen=True)
class _Way:
    """How every run is made, and who gets to know what became of it."""

    plugins: Plugins
    output: Output
    found: Found
    required: str | None
    attempts: int


@dataclass(frozen=True)
class _Check:
    """What is asked of a comparison: to rank an unfair pair, and the conditions of ``--fail-if``."""

    anyway: bool = False
    conditions: tuple[str, ...] = ()


def _choices(
    *,
    labels: Sequence[str],
    options: Sequence[str],
    max_wait: float | None,
    target_latency: float | None,
    duration: float | None,
    stall_timeout: float | None,
    trace: str | None,
    trace_sample: str | None,
    leveled: bool,
    **same: Any,
) -> Choices:
    from mlharness.choices import Choices
    from mlharness.trace.levels import parse_levels, parse_sample

    every, first = parse_sample(trace_sample)
    if leveled and not trace:
        raise UserError("--leveled: there is no level to measure", "Say which: --trace full --leveled.")
    return Choices(
        labels=dict(split_label(text) for text in labels),
        options=tuple(options),
        max_wait_us=None if max_wait is None else round(max_wait * 1000),
        target_latency_ms=target_latency,
        duration_s=duration,
        stall_timeout_s=stall_timeout,
        trace=parse_levels(trace) if trace else (),
        trace_every=every,
        trace_first=first,
        leveled=leveled,
        **same,
    )


def _run(request: Request, repeat: int, way: _Way) -> ExitCode:
    from mlharness.cli.against import in_series

    output = way.output
    results, codes, made = [], [], list[dict[str, Any]]()
    for one in [request] if repeat == 1 else in_series(request, repeat):
        result, code = _run_one(one, made, way)
        results.append(result)
        codes.append(code)
        if not output.json:
            from mlharness.cli.summary import show_result  # not before the run: nobody waits for a table meanwhile

            show_result(output, result, request.root / result["run_id"])
    output.show(lambda: results[0] if repeat == 1 else {"results": results}, lambda: None)
    return worst(*codes)


def _other(against: str, model: str, chosen: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    from mlharness.cli.against import parse_against

    return parse_against(against, command, model, chosen)


def _run_against(
    requests: Sequence[Request],
    names: tuple[str, str],
    pairs: int | None,
    way: _Way,
    check: _Check,
) -> ExitCode:
    from mlharness.cli.against import PAIRS, Side, bench_against, name_sides
    from mlharness.comparing.verdict import parse_condition

    conditions = [parse_condition(text) for text in check.conditions]  # before anything runs
    a, b = (Side(name, request) for name, request in zip(name_sides(*names), requests, strict=True))

    def run_one(request: Request, made: list[dict[str, Any]]) -> tuple[dict[str, Any], ExitCode]:
        return _run_one(request, made, way)

    return bench_against((a, b), pairs or PAIRS, run_one, check.anyway, conditions, way.output, way.found)


def _run_one(request: Request, made: list[dict[str, Any]], way: _Way) -> tuple[dict[str, Any], ExitCode]:
    """A run that is good enough, or the best attempt at it; ``made`` gets every attempt."""
    from mlharness.cli.attempts import attempt

    result, good = attempt(lambda: _bench(request, made, way), way.required, way.attempts, way.output.note)
    way.found.runs.append(Made(result, way.required))
    if way.output.json:
        way.output.warn(result["warnings"])  # who reads only the figure out of the document shall see them, too
    return result, exit_code_of(result) if good else ExitCode.FAILED


def _bench(request: Request, made: list[dict[str, Any]], way: _Way) -> dict[str, Any]:
    """One more run, held against those that were made before it."""
    from mlharness.bench import bench
    from mlharness.cli.progress import make_observer

    observer = make_observer(way.output)
    watching = (observer, way.found) if way.found.wanted else (observer,)
    for one in watching:
        way.plugins.manager.register(one)
    try:
        made.append(bench(request, made[:]))
        return made[-1]
    finally:
        observer.close()
        for one in watching:
            way.plugins.manager.unregister(one)


def exit_code_of(result: dict[str, Any]) -> ExitCode:
    """FAILED for anything but a valid run, ACCURACY for a valid one that misses its target."""
    if result["status"] != "valid":
        return ExitCode.FAILED
    accuracy = result["accuracy"]
    return ExitCode.ACCURACY if accuracy and accuracy["passed"] is False else ExitCode.DONE


def _show_plans(output: Output, plans: Sequence[RunPlan]) -> None:
    """The plan; with ``--against`` both, A's first."""
    import yaml

    documents = [plan.document() for plan in plans]
    output.show(
        lambda: documents[0] if len(documents) == 1 else {"plans": documents},
        lambda: output.line(yaml.safe_dump_all(documents, sort_keys=False).rstrip()),
    )
