"""Every ``console`` and ``python`` block of the pages works as it is shown; other blocks are only shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tests.docs import console
from tests.docs.conftest import DOCS, pages


def check_console(example: Example) -> str | None:
    """Run a console block; what differs, or None."""
    commands = console.parse(example.parsed)
    for command, printed in zip(commands, console.run(commands), strict=True):
        if not command.matches(printed):
            return f"$ {command.line}\nexpected:\n{command.expected}\n\nprinted:\n{printed}"
    return None


EXAMPLES = Sybil([PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=check_console)])


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_examples_of_page(page: Path, workplace: Path, request: pytest.FixtureRequest) -> None:
    if page.name == "plugins.md":
        request.getfixturevalue("example_plugin")
    for example in EXAMPLES.parse(page).examples():
        example.evaluate()


def test_every_example_file_is_shown_or_used() -> None:
    shown = "\n".join(page.read_text("utf-8") for page in pages())
    used = shown + "".join(path.read_text("utf-8") for path in (DOCS / "examples").glob("*.yaml"))
    files = [path for path in (DOCS / "examples").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert [path.name for path in files if path.name not in used] == []


def test_console_block_needs_prompt() -> None:
    with pytest.raises(ValueError, match="begins with"):
        console.parse("mlh models")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a  b", "a b  ", True),
        ("a\n...\nz", "a\nm\nn\nz", True),
        ("a ... z", "a b", False),
        ("a", "a\nb", False),
        ("", "", True),
        ("", "Error: something", False),
    ],
)
def test_output_is_compared(expected: str, printed: str, same: bool) -> None:
    assert console.Command("x", expected).matches(printed) is same


def test_shell_keeps_exit_code_between_commands() -> None:
    commands = console.parse("$ (exit 7)\n$ echo $?\n7")
    assert [command.matches(out) for command, out in zip(commands, console.run(commands), strict=True)] == [True, True]
