"""``--summary``: what a command found, for CI; written however the command ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlharness import hookimpl
from mlharness.cli.output import Output
from mlharness.errors import UserError
from mlharness.payloads import RunFinished

if TYPE_CHECKING:
    from mlharness.summarising.summary import Summary

F = TypeVar("F", bound=Callable[..., Any])
Document = Mapping[str, Any]

summary_option: Callable[[F], F] = click.option(
    "--summary", "summaries", metavar="[FORMAT:]FILE", multiple=True,
    help="Write a summary for CI, whatever happens: markdown, junit or json; - is stdout; repeatable.",
)  # fmt: skip
"""Adds ``--summary`` (keyword ``summaries``, a tuple), which is for :func:`summarised`."""


@dataclass(frozen=True)
class Made:
    """A run that was made or asked for; ``required`` is the grade that it should have, if any."""

    result: Document
    required: str | None = None


@dataclass(eq=False)  # pluggy wants to hash it
class Found:
    """What a command has found so far; of this its summary is made, whatever ends it."""

    command: str
    started: str
    wanted: bool = False
    """Whether a summary is going to be made."""
    runs: list[Made] = field(default_factory=list)
    latest: Document | None = None
    """The result of the last run that ended, also of one whose end was an error."""
    comparison: Document | None = None
    table: Callable[[], Document] | None = None
    error: BaseException | None = None

    @hookimpl
    def mlh_on_run_finished(self, finished: RunFinished) -> None:
        """An observer is told of runs that were interrupted, too."""
        self.latest = finished.result

    def every_run(self) -> list[Made]:
        """The runs, and the one whose end was that of the command."""
        known = {made.result["run_id"] for made in self.runs}
        ended = self.error is not None and self.latest is not None and self.latest["run_id"] not in known
        return [*self.runs, Made(self.latest)] if ended and self.latest is not None else list(self.runs)


@contextmanager
def summarised(given: Sequence[str], command: str, output: Output, dry_run: bool = False) -> Iterator[Found]:
    """Write the summaries that were asked for when the block has ended, with what it put into ``Found``.

    Where one goes to standard output, what people read goes to standard error instead.

    Raises:
        UserError: a summary cannot be written; what ended the block goes before that.
    """
    from mlharness.summarising.target import parse_targets, unfinished

    targets = parse_targets(given)
    found = Found(command, datetime.now(timezone.utc).isoformat(timespec="milliseconds"), bool(targets))
    if not targets:
        yield found
        return
    to_stdout = any(target.path is None for target in targets)
    if to_stdout and output.json:
        raise UserError("--json: the summary would go to stdout as well", "Name a file: --summary junit:FILE")
    if dry_run:
        raise UserError("--summary: a dry run has nothing to summarise", "Leave out one of the two.")
    stdout, about = sys.stdout, _about()
    for target in targets:
        target.begin(unfinished(command, found.started, *about))

    def write() -> None:
        summary = _summary(found, about)
        for target in targets:
            target.write(summary, stdout)

    with redirect_stdout(sys.stderr) if to_stdout else nullcontext():
        try:
            yield found
        except (Exception, KeyboardInterrupt) as error:
            found.error = error
            try:
                write()
            except UserError as trouble:
                output.warn([trouble.message])
            raise
    write()


def _summary(found: Found, about: tuple[str, str]) -> Summary:
    from mlharness.cli.summary_cases import cases_of
    from mlharness.cli.summary_page import page_of
    from mlharness.summarising.summary import Summary

    return Summary(found.command, found.started, *about, tuple(cases_of(found)), tuple(page_of(found)))


def _about() -> tuple[str, str]:
    """The host's name, and the version of mlharness."""
    import platform
    from importlib import metadata

    return platform.node(), metadata.version("mlharness")
