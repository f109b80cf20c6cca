"""Runs every benchmark and prints the table: ``python -m tests.benchmarks [--repeat N] [NAME ...]``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import library, null_path, overhead, startup

BENCHMARKS = {"startup": startup.rows, "library": library.rows, "null": null_path.rows, "overhead": overhead.rows}


def main() -> None:
    """Medians of interleaved runs; the machine should have nothing else to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each side (default 5)")
    arguments = parser.parse_args()
    table = Table("what", "goal", "found: median (least to most)", "met")
    with tempfile.TemporaryDirectory(prefix="mlharness-benchmarks-") as folder:
        for name in arguments.names or BENCHMARKS:
            for row in BENCHMARKS[name](Path(folder), arguments.repeat):
                table.add_row(row.name, row.goal, row.found, "" if not row.goal else "yes" if row.met else "NO")
    Console().print(table)


if __name__ == "__main__":
    main()
