"""Shows a run's progress on stderr: an observer plugin that ``mlh bench`` registers for the time of a run."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from mlharness import hookimpl
from mlharness.cli.output import Output, printable
from mlharness.payloads import PhaseStarted, Progress, RunFinished
from mlharness.supervise import Watch

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_EVERY_S = 10.0
"""How often a line is printed where there is no terminal to redraw."""

COUNTED = {"measure": "samples", "samples": "samples", "fetch": "bytes"}
"""Phases that count something, and what."""

ONE_SAMPLE = ("SingleStream", "Server")
"""Scenarios whose queries have one sample each, so that LoadGen's queries are what is counted."""


class Screen(Protocol):
    """Where progress goes."""

    def phase(self, phase: PhaseStarted) -> None: ...

    def progress(self, phase: PhaseStarted, progress: Progress, rate: float) -> None: ...

    def close(self) -> None: ...


class ProgressObserver:
    """The observer: keeps the current phase and works out the live rate."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._phase = PhaseStarted("", "", "", None)
        self._last = (0, 0.0)

    @hookimpl
    def mlh_on_phase_started(self, phase: PhaseStarted) -> None:
        """A new line."""
        self._phase, self._last = phase, (0, 0.0)
        self._screen.phase(phase)

    @hookimpl
    def mlh_on_progress(self, progress: Progress) -> None:
        """The rate is that of the time since the last call."""
        done, elapsed = self._last
        rate = (progress.done - done) / max(1e-9, progress.elapsed_s - elapsed)
        self._last = (progress.done, progress.elapsed_s)
        self._screen.progress(self._phase, progress, rate)

    @hookimpl
    def mlh_on_run_finished(self, finished: RunFinished) -> None:
        """Leave the terminal as it was."""
        self._screen.close()

    def close(self) -> None:
        """For a run that never finished."""
        self._screen.close()


class TerminalScreen:
    """One line that is redrawn when something is told, and never by a thread of its own."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def phase(self, phase: PhaseStarted) -> None:
        """Show the phase without figures."""
        self._draw(phase, "")

    def progress(self, phase: PhaseStarted, progress: Progress, rate: float) -> None:
        """Show the phase with what has been done, how fast, and for how long."""
        self._draw(phase, describe(phase, progress, rate), fraction(phase, progress))

    def close(self) -> None:
        """Take the line away."""
        self._live.stop()

    def _draw(self, phase: PhaseStarted, figures: str, done: float | None = None) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 2))
        cells = [Text(phase.phase, style="bold cyan"), Text(printable(phase.detail))]
        if done is not None:
            cells.append(ProgressBar(total=1.0, completed=done, width=24))  # type: ignore[arg-type]  # any renderable
        row.add_row(*cells, Text(figures, style="dim"))
        self._live.update(row, refresh=True)


class PlainScreen:
    """Lines for a log: one per phase, and one now and then while it lasts."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._printed = monotonic()

    def phase(self, phase: PhaseStarted) -> None:
        """One line, with how long it should last."""
        self._printed = monotonic()
        expected = f" (about {phase.expected_s:.0f} s)" if phase.expected_s else ""
        self._output.note(f"{phase.phase}: {phase.detail}{expected}" if phase.detail else phase.phase)

    def progress(self, phase: PhaseStarted, progress: Progress, rate: float) -> None:
        """A line every :data:`PLAIN_EVERY_S` seconds."""
        if monotonic() - self._printed >= PLAIN_EVERY_S:
            self._printed = monotonic()
            self._output.note(f"  {describe(phase, progress, rate)}")

    def close(self) -> None:
        """Nothing to take away."""


def describe(phase: PhaseStarted, progress: Progress, rate: float) -> str:
    """Done, of how many, rate, elapsed and remaining, as far as each is known."""
    parts = []
    unit = unit_of(phase)
    if unit and progress.done:
        of = f" of {progress.total:,}" if progress.total else ""
        parts.append(f"{progress.done:,}{of} {unit}, {rate:,.0f}/s")
    parts.append(f"{progress.elapsed_s:.0f} s")
    left = remaining(phase, progress, rate)
    if left is not None:
        parts.append(f"{left:.0f} s left")
    return ", ".join(parts)


def unit_of(phase: PhaseStarted) -> str | None:
    """What a phase counts; None for one that counts nothing."""
    test = phase.detail.rpartition(": ")[2].partition(",")[0]
    return "queries" if phase.phase == "measure" and test in ONE_SAMPLE else COUNTED.get(phase.phase)


def remaining(phase: PhaseStarted, progress: Progress, rate: float) -> float | None:
    """Seconds until the phase should end; None when nobody knows, as when it should have ended already."""
    if phase.expected_s:
        return phase.expected_s - progress.elapsed_s if progress.elapsed_s < phase.expected_s else None
    if progress.total and rate > 0:
        return max(0.0, (progress.total - progress.done) / rate)
    return None


def fraction(phase: PhaseStarted, progress: Progress) -> float | None:
    """How much of the phase is done, 0 to 1; None when nobody knows."""
    if progress.total:
        return min(1.0, progress.done / progress.total)
    return min(1.0, progress.elapsed_s / phase.expected_s) if phase.expected_s else None


def make_watch(output: Output) -> Watch:
    """What a command without a run tells of its runners: each phase, one line."""

    def phase(name: str, detail: str, expected_s: float | None) -> None:
        output.note(f"{name}: {detail}" if detail else name)

    return Watch(phase)


def make_observer(output: Output) -> ProgressObserver:
    """The observer for an output: redrawn on a terminal, plain lines elsewhere, nothing with ``--quiet``."""
    # rich is not loaded where no terminal is: it would take a tenth of a second before the run begins
    if sys.stderr.isatty() and not output.quiet and (console := output.console(stderr=True)).is_terminal:
        return ProgressObserver(TerminalScreen(console))
    return ProgressObserver(PlainScreen(output))
