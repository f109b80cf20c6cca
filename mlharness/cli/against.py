"""``mlh bench A --against B``: both in turns, A B B A A B ..., and at the end the comparison.

A machine that drifts, as it warms up or as others work on it, slows whichever side runs later. Two runs that follow
each other see nearly the same machine, and which of them goes first changes from pair to pair.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
from click.core import ParameterSource

from mlharness.cli.comparison import refusal, report
from mlharness.cli.exits import ExitCode, ProblemsError, worst
from mlharness.cli.output import Output
from mlharness.cli.summaries import Found
from mlharness.cli.summary import figure
from mlharness.comparing.comparison import compare_groups
from mlharness.comparing.groups import PAIR, SERIES, Group, side_label
from mlharness.comparing.runs import Run, read_run
from mlharness.comparing.verdict import Condition
from mlharness.errors import UserError
from mlharness.request import Request

PAIRS = 7
"""How many pairs there are when nobody says: at 5 a difference must be large to be seen, beyond 7 little is gained."""
OF_A_ALONE = frozenset({
    "repeat", "against", "conditions", "anyway", "root", "dry_run", "block", "require_quality", "attempts",
    "summaries", "json", "quiet", "verbose", "no_color", "profile",
})  # fmt: skip
"""Options that cannot differ between the sides."""

RunOne = Callable[[Request, list[dict[str, Any]]], tuple[dict[str, Any], ExitCode]]
"""Makes one run, held against those of its side that were made before it: its result, and its exit code."""


@dataclass
class Side:
    """One of the two: what the user called it, what to run, and the results so far; ``made`` has all attempts."""

    name: str
    request: Request
    results: list[dict[str, Any]] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)

    def group(self) -> Group:
        """Its runs so far."""
        return Group(self.name, tuple(self._read(result) for result in self.results))

    def _read(self, result: Mapping[str, Any]) -> Run:
        return read_run(self.request.root / result["run_id"])


def parse_against(text: str, bench: click.Command, model: str, chosen: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """B's model and choices: those of A, with what ``--against`` says in their place.

    ``--option`` adds to A's options, the later winning, unless B has a framework of its own.

    Raises:
        UserError, click.ClickException: it is no command line of ``mlh bench``.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"--against {text!r}: {error}", "Quote it as a shell would want it.") from error
    options = [option for option in bench.params if isinstance(option, click.Option) and option.name not in OF_A_ALONE]
    parser = click.Command("--against", params=[click.Argument(["model"], required=False), *options])
    context = parser.make_context("--against", words)
    given = {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if "options" in given and "framework" not in given:
        given["options"] = (*chosen["options"], *given["options"])
    elif "framework" in given:
        given.setdefault("options", ())
    return given.pop("model", model), {**chosen, **given}


def name_sides(a: str, b: str) -> tuple[str, str]:
    """What the sides are called: as they were written, if that tells them apart."""
    return (a, b) if a != b else ("A", "B")


def bench_against(
    sides: tuple[Side, Side],
    pairs: int,
    run_one: RunOne,
    anyway: bool,
    conditions: Sequence[Condition],
    output: Output,
    found: Found,
) -> ExitCode:
    """All pairs, then the comparison, which ``found`` gets.

    Raises:
        ProblemsError: the pair is unfair and nobody said ``anyway``, which the first pair shows already.
    """
    series = secrets.token_hex(3)
    again = shlex.join(f"label:{SERIES}={side_label(series, letter)}" for letter in "AB")
    output.note(f"{2 * pairs} runs; to compare them again: mlh compare {again}")
    codes = []
    for number, letter in turns(pairs):
        side = sides["AB".index(letter)]
        request = labelled(side.request, {SERIES: side_label(series, letter), PAIR: str(number)})
        result, code = run_one(request, side.made)
        side.results.append(result)
        codes.append(code)
        output.note(f"pair {number} of {pairs}, {letter}: {result['status']}{_figure(result)}")
        if number == 1 and all(one.results for one in sides):
            refuse_early(sides, anyway, found)
    groups = [side.group() for side in sides]
    return worst(*codes, report(output, groups, anyway, conditions, found))


def turns(pairs: int) -> Iterator[tuple[int, str]]:
    """Number of the pair (from 1) and side of each run, in order: A B, B A, A B ..."""
    for number in range(1, pairs + 1):
        yield from ((number, letter) for letter in ("AB" if number % 2 else "BA"))


def labelled(request: Request, labels: Mapping[str, str]) -> Request:
    """The same request with more labels, which are no part of a plan's hash."""
    return replace(request, choices=replace(request.choices, labels={**request.choices.labels, **labels}))


def in_series(request: Request, times: int) -> list[Request]:
    """The request as often, each with the label by which ``mlh compare series:RUN`` finds all of them."""
    return [labelled(request, {SERIES: secrets.token_hex(3)})] * times


def refuse_early(sides: tuple[Side, Side], anyway: bool, found: Found) -> None:
    """Raises ProblemsError when the first pair shows that the comparison would be unfair."""
    groups = [side.group() for side in sides]
    if anyway or not all(group.used() for group in groups):
        return
    document = compare_groups(groups)
    problem = refusal(document)
    if problem is not None:
        found.comparison = document
        raise ProblemsError(problem.message, problem.remedy, {"comparison": document})


def _figure(result: Mapping[str, Any]) -> str:
    grade = f", quality {result['quality']['grade']}" if result["quality"] else ""
    return f", {figure(result)}{grade}" if result["metric"] else ""
