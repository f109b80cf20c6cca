"""Runs benchmarks and prints their tables: ``python -m tests.benchmarks [--repeat N] [NAME ...]``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import compare, frameworks, layers, library, null_path, overhead, startup
from tests.benchmarks.frameworks import Asked
from tests.benchmarks.measure import Row

MakeRows = Callable[[Path, int], Iterable[Row]]
BENCHMARKS: Mapping[str, MakeRows] = {
    "startup": startup.rows,
    "library": library.rows,
    "null": null_path.rows,
    "overhead": overhead.rows,
}
"""What is run when nothing is named."""
LONG: Mapping[str, MakeRows] = {"compare": compare.rows}
"""What needs no more than those, and takes 20 minutes."""
OF_FRAMEWORKS = ("frameworks", "layers", "zoo")
"""What needs the plugins of all frameworks, and takes much longer."""
WIDTH = 160
"""Columns of a table that does not go to a terminal."""


def main() -> None:
    """Medians of interleaved runs; the machine should have nothing else to do."""
    arguments = parse()
    asked = Asked(arguments.frameworks, arguments.models, arguments.duration)
    of_frameworks = {"frameworks": partial(frameworks.rows, asked=asked), "layers": partial(layers.rows, asked=asked)}
    benchmarks: Mapping[str, MakeRows] = {**BENCHMARKS, **LONG, **of_frameworks}
    names = arguments.names or list(BENCHMARKS)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    with tempfile.TemporaryDirectory(prefix="mlharness-benchmarks-") as folder:
        if chosen := [benchmarks[name] for name in names if name in benchmarks]:
            console.print(goals(Path(folder), arguments.repeat, chosen))
        if "zoo" in names:
            console.print(frameworks.table(Path(folder), asked))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    every = (*BENCHMARKS, *LONG, *OF_FRAMEWORKS)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(every)}; without any: {', '.join(BENCHMARKS)}"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of each side (default 5)")
    for what in ("--frameworks", "--models"):
        parser.add_argument(what, type=split, default=(), metavar="A,B", help="for those of frameworks: these alone")
    parser.add_argument(
        "--duration", type=float, default=5.0, help="for frameworks and zoo: seconds of each test (default 5)"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(every):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    return arguments


def split(text: str) -> tuple[str, ...]:
    """The words of ``A,B``."""
    return tuple(text.split(","))


def goals(folder: Path, repeat: int, benchmarks: Iterable[MakeRows]) -> Table:
    """Run these, and set what they found beside what is asked for."""
    table = Table("what", "goal", "found: median (least to most)", "met")
    for rows in benchmarks:
        for row in rows(folder, repeat):
            table.add_row(row.name, row.goal, row.found, "" if not row.goal else "yes" if row.met else "NO")
    return table


if __name__ == "__main__":
    main()
