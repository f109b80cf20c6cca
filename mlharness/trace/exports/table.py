"""Which formats there are, and what each is called and ends in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mlharness.errors import UserError
from mlharness.trace.exports import chrome, folded, perfetto, speedscope
from mlharness.trace.exports.rows import Trace


@dataclass(frozen=True)
class FileFormat:
    """A format that is a file: how it is written, what its name ends in, and what opens it."""

    write: Callable[[Trace, IO[bytes]], int]
    ending: str
    opened_by: str


FILES: Mapping[str, FileFormat] = {
    "perfetto": FileFormat(perfetto.write, ".pftrace", "https://ui.perfetto.dev"),
    "chrome": FileFormat(chrome.write, ".trace.json", "chrome://tracing, or https://ui.perfetto.dev"),
    "speedscope": FileFormat(speedscope.write, ".speedscope.json", "https://www.speedscope.app"),
    "folded": FileFormat(folded.write, ".folded.txt", "flamegraph.pl, inferno or speedscope"),
}


def write_file(trace: Trace, name: str, path: Path) -> int:
    """Write a trace as one of :data:`FILES`, whole or not at all; returns how many spans the file holds.

    Raises:
        UserError: the file cannot be written, or the format needs a package that is not there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            count = FILES[name].write(trace, file)
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", "Choose another file with --output.") from error
    finally:
        part.unlink(missing_ok=True)
    return count
