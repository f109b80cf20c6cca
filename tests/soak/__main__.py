"""mlharness and a bare system in turn, and what the memory of mlharness's two processes grows beyond the other's.

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

from tests.benchmarks.measure import UNTOLD
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


@dataclass(frozen=True)
class Curves:
    """mlharness's runner and parent, and the bare system."""

    runner: Curve
    parent: Curve
    bare: Curve

    @property
    def growth(self) -> float:
        """MiB by which mlharness grows beyond the bare system; a parent that shrinks excuses nothing."""
        return self.runner.growth - self.bare.growth + max(0.0, self.parent.growth)


def run(soak: Soak, root: Path, seconds: float) -> Curves:
    """mlharness, then the bare system with the very settings of that run."""
    bench = (*soak.arguments, "--duration", f"{seconds:g}", "--json", "-q", *UNTOLD, "--output", str(root))
    roles = (runs_module("mlharness.runner"), runs_module("mlharness"))
    ours = watch(python("mlharness", "bench", *bench), root, seconds, *roles)
    (done,) = root.iterdir()
    bare = python(soak.bare, str(done), str(root / "bare"))
    return Curves(*ours, *watch(bare, root, seconds, runs_module(soak.bare)))


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
            curves = run(SOAKS[name], Path(folder), seconds)
        Console().print(table(name, curves))
        worst = max(worst, curves.growth)
    return int(worst > GOAL_MIB)


def table(name: str, curves: Curves) -> Table:
    """Resident memory at a few moments, and the growth between the first and the last of them."""
    first, last = curves.runner.window
    made = Table("second", "runner, MiB", "parent, MiB", "bare, MiB", "beyond bare, MiB", title=name)
    each = (curves.runner, curves.parent, curves.bare)
    for step in range(5):
        second = first + (last - first) * step / 4
        sizes = [curve.at(second) for curve in each]
        made.add_row(f"{second:.0f}", *(f"{value:.1f}" for value in (*sizes, sizes[0] + sizes[1] - sizes[2])))
    made.add_section()
    made.add_row("growth", *(f"{value:+.1f}" for value in (*(curve.growth for curve in each), curves.growth)))
    held = "yes" if curves.growth <= GOAL_MIB else "NO"
    made.caption = f"goal: runner and parent grow less than {GOAL_MIB:g} MiB more than bare: {held}"
    return made


if __name__ == "__main__":
    sys.exit(main())
