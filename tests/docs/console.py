"""Blocks of a terminal session: each line after ``$`` is a command, the lines below it what it prints."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

PROMPT = "$ "
_END = "=== end of output ==="
_LONGEST_S = 120


@dataclass(frozen=True)
class Command:
    """A command, and what it should print; ``...`` in it stands for any text, also over several lines."""

    line: str
    expected: str

    def matches(self, printed: str) -> bool:
        """True when this was expected; runs of spaces count as one, and those at the ends of lines do not count."""
        known = re.split(r" ?\.\.\. ?", squeeze(self.expected))
        return re.fullmatch(".*?".join(map(re.escape, known)), squeeze(printed), re.DOTALL) is not None


def squeeze(text: str) -> str:
    """The text with runs of spaces made one, since columns are as wide as what stands in them."""
    return "\n".join(re.sub(r" +", " ", line).rstrip() for line in text.strip().splitlines())


def parse(block: str) -> list[Command]:
    """The commands of a block. Raises ValueError for one that does not begin with a prompt."""
    found: list[tuple[str, list[str]]] = []
    for line in block.strip().splitlines():
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT), []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"a console block begins with {PROMPT!r}, not with {line!r}")
    return [Command(line, "\n".join(expected)) for line, expected in found]


def run(commands: Sequence[Command]) -> list[str]:
    """What each command prints (both streams), all in one shell of the current folder."""
    bash = shutil.which("bash")
    assert bash is not None, "the examples are written for bash"
    # The exit code of each is kept for the next, which may print it.
    script = "\n".join(f"{command.line}\ncode=$?; echo; echo '{_END}'; (exit $code)" for command in commands)
    done = subprocess.run(
        [bash, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    *outputs, rest = done.stdout.split(f"{_END}\n")
    assert not rest, f"the shell ended early: {done.stdout}"
    return outputs
