"""Makes ``images/bench.svg`` from a real run: ``python docs/make_pictures.py``, where ``mlh`` and its plugins are.

``mlh`` runs in a terminal of its own (a pseudo-terminal); what it drew is replayed into rich, which writes the SVG.
The picture shows the last frame of the progress line, and then what stayed on the screen.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 120, 24
COMMAND = ("mlh", "bench", "efficientnet-lite0")
PICTURE = Path(__file__).parent / "images" / "bench.svg"
_ESCAPES = re.compile(r"\x1b\[\??[0-9;]*[A-Za-ln-z]")
"""Everything that moves the cursor; colours (which end in m) stay."""


def main() -> None:
    """Run the command and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        # what the null floor costs is measured in the first run of a machine, and not what is to be shown
        run_in_terminal({"MLH_DATA_DIR": "runs", "MLH_CACHE_DIR": "cache"}, folder)
        drawn = run_in_terminal({"MLH_DATA_DIR": "runs", "MLH_CACHE_DIR": "cache"}, folder)
    progress, result = split(drawn)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw([f"$ {' '.join(COMMAND)}", progress, *result]), "utf-8")


def run_in_terminal(variables: dict[str, str], folder: str) -> str:
    """What the command writes to a terminal of :data:`COLUMNS` by :data:`ROWS`, run in a folder."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(variables, TERM="xterm-256color", COLORTERM="truecolor")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.execvpe(COMMAND[0], COMMAND, {**os.environ, "PATH": path})  # noqa: S606  # a list of words, and no shell
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    written = b""
    try:
        while chunk := os.read(terminal, 1 << 16):
            written += chunk
    except OSError:  # what Linux answers when the other side has closed
        pass
    os.waitpid(child, 0)
    return written.decode()


def split(drawn: str) -> tuple[str, list[str]]:
    """The last frame of the measuring phase, and the lines that stayed."""
    lines = [_ESCAPES.sub("", line).rpartition("\r")[2].rstrip() for line in drawn.replace("\r\n", "\n").split("\n")]
    frames = [line for line in re.split(r"[\r\n]", _ESCAPES.sub("", drawn)) if "measure" in line and "queries" in line]
    first = next(number for number, line in enumerate(lines) if "VALID" in line)
    # the folder of a run is as long as the machine's own, and says nothing
    kept = [line for line in lines[first:] if line and not re.match(r"(\x1b\[\d+m)*run\b", line)]
    return frames[-1].rstrip(), kept


def draw(lines: list[str]) -> str:
    """The lines as an SVG that loads no font from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    svg = console.export_svg(title=" ".join(COMMAND), unique_id="bench")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "DejaVu Sans Mono, Menlo, Consolas, monospace")


if __name__ == "__main__":
    main()
