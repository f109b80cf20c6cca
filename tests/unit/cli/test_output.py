"""Tables, documents, and who sees colours."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from mlharness.cli.output import Output, plain_table, print_document, printable


@dataclass(frozen=True)
class Thing:
    path: Path
    extra: object


def test_a_document_takes_dataclasses_paths_and_mappings(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"thing": Thing(Path("a/b"), MappingProxyType({"é": (1, None)}))})
    assert json.loads(capsys.readouterr().out) == {"thing": {"path": "a/b", "extra": {"é": [1, None]}}}


def test_what_json_has_no_word_for_is_a_bug() -> None:
    with pytest.raises(TypeError, match="a object cannot be written as JSON"):
        print_document({"thing": object()})


def test_with_json_only_the_document_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=True)
    output.line("an answer in words")
    output.note("a note")
    output.show(lambda: {"a": 1}, lambda: pytest.fail("people are not asked"))
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": 1}
    assert printed.err == "an answer in words\na note\n"


def test_quiet_and_verbose_rule_the_notes(capsys: pytest.CaptureFixture[str]) -> None:
    Output(quiet=True).note("unseen")
    Output().detail("unseen")
    Output(verbose=1).detail("unseen", level=2)
    Output(verbose=1).detail("seen")
    assert capsys.readouterr().err == "seen\n"


def test_a_table_is_neither_cut_nor_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    Output().table(["NAME", "WORDS"], [["a[red]", long], ["\x1b[1mb", "mlharness[extra] :smile:"]])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [
        ["NAME", "WORDS"], ["a[red]", long], ["\\x1b[1mb", "mlharness[extra] :smile:"],
    ]  # fmt: skip


@pytest.mark.parametrize(("color", "variable", "seen"), [(True, None, True), (False, None, False), (True, "1", False)])
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], color: bool, variable: str | None, seen: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv("NO_COLOR", variable)
    Output(color=color).console().print("words", style="red")
    assert ("\x1b[31m" in capsys.readouterr().out) == seen


def test_printable_shows_what_would_steer_a_terminal() -> None:
    assert printable("é\tx\n\x1b[2J\x00") == "é\tx\n\\x1b[2J\\x00"


class Terminal(io.StringIO):
    """A terminal of any width."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("whole", "rows", "lines"), [(False, 3, 7), (True, 3, 4), (False, 201, 202)], ids=["wrapped", "whole", "many"]
)
def test_what_does_not_fit_a_terminal_wraps_unless_it_must_not(
    monkeypatch: pytest.MonkeyPatch, whole: bool, rows: int, lines: int
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    Output(color=False).table(["RUN", "WORDS"], [["x" * 50, "y"]] * rows, whole=whole)
    assert len(terminal.getvalue().splitlines()) == lines


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    rows = [["漢字", "b", ""], ["e", "two\nlines", "c"]]
    assert list(plain_table(["A", "BB", "C"], rows)) == ["A     BB         C", "漢字  b", "e     two lines  c"]
