"""``mlh bench`` and the minimal SUT, run in turn around the same predictor: what the harness adds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.loadgen_log import LoadGenLog, read_log
from mlharness.supervise import how_to_start
from tests.benchmarks.measure import Row, median, mlh_bench, spread

MINIMAL_SUT = Path(__file__).parent / "minimal_sut.py"
CLOCKED = "clocked.json"
"""What the minimal SUT writes beside LoadGen's logs. It can import nothing of this package, nor be imported by it."""
LEAST_SHARE = 0.97
MOST_US = 10.0


@dataclass(frozen=True)
class Subject:
    """A model on a framework (empty: the manifest's), and how many seconds each test lasts."""

    model: str
    framework: str = ""
    duration_s: float = 5.0

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.model} on {self.framework}" if self.framework else self.model

    def bench(self, root: Path, scenario: str) -> tuple[dict[str, Any], Path]:
        """One ``mlh bench``; its result and its run directory."""
        framework = ("--framework", self.framework) if self.framework else ()
        return mlh_bench(root, self.model, *framework, "--scenario", scenario, "--duration", f"{self.duration_s:g}")


@dataclass(frozen=True)
class Pair:
    """A figure of mlharness, and of the minimal SUT that ran before or after it.

    ``clocked`` is what each took of a query (Offline: a sample) outside of the predictor, until it was completed, by
    its own clocks, in microseconds.
    """

    ours: float
    theirs: float
    clocked: tuple[float, float]


def run_minimal(run: Path, logs: Path) -> None:
    """Repeat a run with the minimal SUT, and the interpreter of that run. Raises RuntimeError when it fails."""
    interpreter = json.loads((run / "plan.json").read_text())["host"]["interpreter"]
    isolated, environment = how_to_start(interpreter)
    command = [interpreter, *isolated, str(MINIMAL_SUT), str(run), str(logs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}\n{done.stdout}")


def pairs(
    root: Path, subject: Subject, scenario: str, repeat: int, figure: Callable[[LoadGenLog], float]
) -> list[Pair]:
    """``repeat`` pairs of a figure, the two sides in alternating order; all with LoadGen's settings of a first run."""
    _, first = subject.bench(root, scenario)

    def mlharness() -> tuple[float, float]:
        result, run = subject.bench(root, scenario)
        took = result["harness"]
        # what is done after a sample was completed stands in no latency
        in_time = took["us_per_query"] - took["after_us_per_query"] + took["postprocess_us_per_query"]
        return figure(read_log(run)), in_time

    def minimal(number: int) -> tuple[float, float]:
        logs = first / f"minimal-{number}"
        run_minimal(first, logs)
        return figure(read_log(logs)), json.loads((logs / CLOCKED).read_text())["us_per_sample"]

    found = []
    for number in range(repeat):
        if number % 2:
            ours, theirs = mlharness(), minimal(number)
        else:
            theirs, ours = minimal(number), mlharness()
        found.append(Pair(ours[0], theirs[0], (ours[1], theirs[1])))
        progress(subject, scenario, found[-1])
    return found


def progress(subject: Subject, scenario: str, pair: Pair) -> None:
    """A line on standard error: the whole takes long, and a pair that is far off is worth knowing early."""
    print(
        f"{subject.name}, {scenario}: mlharness {pair.ours:.2f}, minimal {pair.theirs:.2f}; "
        f"outside of the predictor {pair.clocked[0]:.1f} and {pair.clocked[1]:.1f} us",
        file=sys.stderr, flush=True,
    )  # fmt: skip


def single_stream(root: Path, subject: Subject, repeat: int) -> list[Row]:
    """SingleStream's median latency of both sides, and their difference."""
    found = pairs(root, subject, "SingleStream", repeat, lambda log: log.latencies("SingleStream")["p50"] / 1e3)
    added = [pair.ours - pair.theirs for pair in found]
    clocked = [pair.clocked[0] - pair.clocked[1] for pair in found]
    return [
        *both(f"{subject.name}, SingleStream p50, us", found, "{:.0f}"),
        Row(f"{subject.name}, SingleStream: us added to the median, pair by pair", "", spread(added, "{:.1f}"), True),
        Row(
            f"{subject.name}, SingleStream: us added outside of the predictor, as clocked, pair by pair",
            f"{MOST_US:g} or less",
            spread(clocked, "{:.1f}"),
            median(clocked) <= MOST_US,
        ),
    ]


def offline(root: Path, subject: Subject, repeat: int) -> list[Row]:
    """Offline's samples a second of both sides, and their ratio."""
    found = pairs(root, subject, "Offline", repeat, lambda log: log.need("result_samples_per_second"))
    ratios = [pair.ours / pair.theirs for pair in found]
    return [
        *both(f"{subject.name}, Offline samples/s", found, "{:.1f}"),
        Row(
            f"{subject.name}, Offline: mlharness / minimal, pair by pair",
            f"{LEAST_SHARE:g} or more",
            spread(ratios, "{:.4f}"),
            median(ratios) >= LEAST_SHARE,
        ),
    ]


def both(what: str, found: list[Pair], form: str) -> list[Row]:
    """The figures of the two sides."""
    return [
        Row(f"{what}: mlharness", "", spread([pair.ours for pair in found], form), True),
        Row(f"{what}: minimal", "", spread([pair.theirs for pair in found], form), True),
    ]
