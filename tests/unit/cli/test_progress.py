"""Progress: rates, what is left, and a terminal that is left as it was."""

from __future__ import annotations

import io
from pathlib import Path

import pluggy
import pytest
from rich.console import Console

from mlharness import hookspecs
from mlharness.cli import progress as module
from mlharness.cli.output import Output
from mlharness.cli.progress import (
    PlainScreen,
    ProgressObserver,
    TerminalScreen,
    describe,
    fraction,
    make_observer,
    remaining,
)
from mlharness.observers import Observers
from mlharness.payloads import PhaseStarted, Progress, RunFinished


def phase(name: str = "measure", detail: str = "", expected_s: float | None = None) -> PhaseStarted:
    return PhaseStarted("run", name, detail, expected_s)


def at(done: int, elapsed_s: float, total: int | None = None, name: str = "measure") -> Progress:
    return Progress("run", name, done, total, elapsed_s)


class FakeScreen:
    def __init__(self) -> None:
        self.rates: list[float] = []
        self.phases: list[str] = []
        self.closed = 0

    def phase(self, phase: PhaseStarted) -> None:
        self.phases.append(phase.phase)

    def progress(self, phase: PhaseStarted, progress: Progress, rate: float) -> None:
        self.rates.append(rate)

    def close(self) -> None:
        self.closed += 1


def test_the_rate_is_that_of_the_last_interval_and_begins_again_with_a_phase() -> None:
    screen = FakeScreen()
    observer = ProgressObserver(screen)
    observer.mlh_on_phase_started(phase("samples"))
    for progress in (at(10, 1.0), at(40, 2.0), at(40, 3.0)):
        observer.mlh_on_progress(progress)
    observer.mlh_on_phase_started(phase("measure"))
    observer.mlh_on_progress(at(5, 1.0))
    observer.mlh_on_progress(at(5, 1.0))
    assert screen.rates == pytest.approx([10.0, 30.0, 0.0, 5.0, 0.0])
    assert screen.phases == ["samples", "measure"]


def test_it_is_an_observer_as_pluggy_knows_it() -> None:
    screen = FakeScreen()
    manager = pluggy.PluginManager("mlharness")
    manager.add_hookspecs(hookspecs)
    manager.register(ProgressObserver(screen))
    manager.check_pending()
    told = Observers(manager)
    told.watch("run").phase("load", "", None)
    told.watch("run").progress("load", 1, None, 1.0)
    told.tell("mlh_on_run_finished", RunFinished("run", Path("run"), {}))
    assert told.warnings == []
    assert (screen.phases, len(screen.rates), screen.closed) == (["load"], 1, 1)


@pytest.mark.parametrize(
    ("what", "now", "rate", "text"),
    [
        (phase("load"), at(0, 12.4), 0.0, "12 s"),
        (phase("load"), at(77, 12.4), 9.0, "12 s"),
        (phase(detail="search, trial 1: Server, performance"), at(90, 2.0), 45.0, "90 queries, 45/s, 2 s"),
        (phase(detail="SingleStream, accuracy"), at(90, 2.0, 180), 45.0, "90 of 180 queries, 45/s, 2 s, 2 s left"),
        (phase(detail="MultiStream, performance, 8 samples a query"), at(80, 2.0), 40.0, "80 samples, 40/s, 2 s"),
        (phase(detail="Offline, performance"), at(80, 2.0), 40.0, "80 samples, 40/s, 2 s"),
        (phase(expected_s=60.0), at(12345, 20.0), 1234.5, "12,345 samples, 1,234/s, 20 s, 40 s left"),
        (phase(expected_s=60.0), at(12345, 61.0), 1234.5, "12,345 samples, 1,234/s, 61 s"),
        (phase("samples"), at(250, 5.0, 1000), 50.0, "250 of 1,000 samples, 50/s, 5 s, 15 s left"),
        (phase("samples"), at(250, 5.0, 1000), 0.0, "250 of 1,000 samples, 0/s, 5 s"),
        (phase("fetch"), at(2048, 1.0, 1024), 2048.0, "2,048 of 1,024 bytes, 2,048/s, 1 s, 0 s left"),
        (phase("fetch"), at(0, 1.0, 1024), 0.0, "1 s"),
    ],
)
def test_descriptions(what: PhaseStarted, now: Progress, rate: float, text: str) -> None:
    assert describe(what, now, rate) == text


@pytest.mark.parametrize(
    ("what", "now", "share"),
    [
        (phase(), at(5, 1.0), None),
        (phase(expected_s=10.0), at(5, 2.5), 0.25),
        (phase(expected_s=10.0), at(5, 25.0), 1.0),
        (phase("samples"), at(5, 1.0, 20), 0.25),
        (phase("fetch"), at(50, 1.0, 20), 1.0),
    ],
)
def test_how_much_is_done(what: PhaseStarted, now: Progress, share: float | None) -> None:
    assert fraction(what, now) == share


def test_nobody_knows_how_long_an_open_phase_lasts() -> None:
    assert remaining(phase(), at(5, 1.0), 5.0) is None


class TestPlain:
    """A log."""

    def test_a_line_per_phase_with_how_long_it_should_last(self, capsys: pytest.CaptureFixture[str]) -> None:
        screen = PlainScreen(Output())
        screen.phase(phase("load", "frame on cpu"))
        screen.phase(phase("measure", "Server", 10.2))
        screen.phase(phase("calibrate"))
        screen.close()
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.splitlines() == ["load: frame on cpu", "measure: Server (about 10 s)", "calibrate"]

    def test_a_line_now_and_then(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        clock = [0.0]
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
        screen = PlainScreen(Output())
        screen.phase(phase())
        for second in range(1, 26):
            clock[0] = float(second)
            screen.progress(phase(), at(100 * second, float(second)), 100.0)
        assert capsys.readouterr().err.splitlines()[1:] == [
            "  1,000 samples, 100/s, 10 s", "  2,000 samples, 100/s, 20 s",
        ]  # fmt: skip

    def test_a_manifests_words_cannot_steer_the_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        PlainScreen(Output()).phase(phase("load", "\x1b[2Jgone"))
        assert capsys.readouterr().err == "load: \\x1b[2Jgone\n"


class TestTerminal:
    """A terminal."""

    @staticmethod
    def screen() -> tuple[TerminalScreen, io.StringIO]:
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, width=100, color_system=None, _environ={})
        return TerminalScreen(console), stream

    def test_it_is_drawn_when_told_and_taken_away_at_the_end(self) -> None:
        screen, stream = self.screen()
        screen.phase(phase("measure", "Server", 10.0))
        screen.progress(phase("measure", "Server", 10.0), at(50, 5.0), 10.0)
        drawn = stream.getvalue()
        assert "measure" in drawn
        assert "50 queries, 10/s, 5 s, 5 s left" in drawn
        screen.close()
        screen.close()
        assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h"), "the cursor is back"

    def test_control_characters_and_markup_are_shown_as_they_are(self) -> None:
        screen, stream = self.screen()
        screen.phase(phase("load", "[bold]\x1b]0;title\x07"))
        assert "[bold]\\x1b]0;title\\x07" in stream.getvalue()
        screen.close()


def test_plain_lines_where_there_is_no_terminal_and_none_with_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    for output in (Output(), Output(quiet=True)):
        observer = make_observer(output)
        observer.mlh_on_phase_started(phase("load"))
        observer.close()
    assert capsys.readouterr().err == "load\n"
