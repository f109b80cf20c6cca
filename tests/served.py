"""``mlh ui`` as a process of its own, for tests that ask it over the network."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MLH = (sys.executable, "-m", "mlharness")


@dataclass(frozen=True)
class Served:
    """The process, and what it printed."""

    process: subprocess.Popen[str]
    url: str
    host: str
    port: int
    token: str | None


@contextmanager
def serving(data: Path, environment: Mapping[str, str], *arguments: str) -> Iterator[Served]:
    """``mlh ui`` over a data directory, once it can be asked; the process is gone in the end."""
    command = [*MLH, "ui", "--port", "0", "--json", *arguments]
    variables = {**environment, "MLH_DATA_DIR": str(data)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while not lines or lines[-1] != "}\n":
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()[1]
            yield Served(process, **json.loads("".join(lines)))
        finally:
            process.kill()
