"""mlharness and a bare system in turn, and what mlharness's memory grows beyond the other's.

``python -m tests.soak [--seconds S] [NAME ...]``: the null model as a Server at 50,000 queries a second, and
EfficientNet-Lite0 one query after another. Ends with 1 when a growth is above the goal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.soak.memory import Curve, python, runs_module, watch

GOAL_MIB = 5.0


@dataclass(frozen=True)
class Soak:
    """What is run, for how long, and the module of the bare system (RUN and LOGS are its arguments)."""

    arguments: tuple[str, ...]
    seconds: float
    bare: str


# A limit that a machine with other work meets too: what counts here is memory.
NULL_SERVER = ("null", "--scenario", "Server", "--target-qps", "50000", "--target-latency", "10000")
SOAKS = {
    "null": Soak(NULL_SERVER, 60, "tests.soak.bare_server"),
    "efficientnet-lite0": Soak(("efficientnet-lite0",), 600, "tests.benchmarks.minimal_sut"),
}


def run(soak: Soak, root: Path, seconds: float) -> tuple[Curve, Curve]:
    """mlharness, then the bare system with the very settings of that run."""
    bench = (*soak.arguments, "--duration", f"{seconds:g}", "--json", "-q", "--output", str(root))
    ours = watch(python("mlharness", "bench", *bench), root, seconds, runs_module("mlharness.runner"))
    (done,) = root.iterdir()
    bare = python(soak.bare, str(done), str(root / "bare"))
    return ours, watch(bare, root, seconds, runs_module(soak.bare))


def main() -> int:
    """Print the memory of both over time."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SOAKS)}; all without")
    parser.add_argument("--seconds", type=float, help="length of each test instead of 60 and 600")
    arguments = parser.parse_args()
    worst = 0.0
    for name in arguments.names or SOAKS:
        seconds = arguments.seconds or SOAKS[name].seconds
        with tempfile.TemporaryDirectory(prefix="mlharness-soak-") as folder:
            ours, bare = run(SOAKS[name], Path(folder), seconds)
        Console().print(table(name, ours, bare))
        worst = max(worst, ours.growth - bare.growth)
    return int(worst > GOAL_MIB)


def table(name: str, ours: Curve, bare: Curve) -> Table:
    """Resident memory at a few moments, and the growth between the first and the last of them."""
    first, last = ours.window
    made = Table("second", "mlharness, MiB", "bare, MiB", "difference, MiB", title=name)
    for step in range(5):
        second = first + (last - first) * step / 4
        made.add_row(f"{second:.0f}", *(f"{value:.1f}" for value in figures(ours.at(second), bare.at(second))))
    grown = figures(ours.growth, bare.growth)
    made.add_section()
    made.add_row("growth", *(f"{value:+.1f}" for value in grown))
    made.caption = f"goal: grows less than {GOAL_MIB:g} MiB more than bare: {'yes' if grown[2] <= GOAL_MIB else 'NO'}"
    return made


def figures(ours: float, bare: float) -> tuple[float, float, float]:
    """Both, and their difference."""
    return ours, bare, ours - bare


if __name__ == "__main__":
    sys.exit(main())
