"""What mlharness adds to a real model: ``mlh bench`` and a minimal SUT, run in turn around the same predictor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlharness.loadgen_log import LoadGenLog, read_log
from tests.benchmarks.measure import Row, median, mlh_bench, run_module, spread

MODEL = "efficientnet-lite0"


def pairs(root: Path, scenario: str, repeat: int, figure: Callable[[LoadGenLog], float]) -> list[tuple[float, float]]:
    """``repeat`` pairs (mlharness, minimal) of a figure, the two sides in alternating order."""
    _, first = mlh_bench(root, MODEL, "--scenario", scenario, "--duration", "5")
    found = []
    for number in range(repeat):
        ours: list[float] = []
        theirs: list[float] = []

        def mlharness(ours: list[float] = ours) -> None:
            _, run = mlh_bench(root, MODEL, "--scenario", scenario, "--duration", "5")
            ours.append(figure(read_log(run)))

        def minimal(theirs: list[float] = theirs, number: int = number) -> None:
            logs = root / f"minimal-{scenario}-{number}"
            run_module("tests.benchmarks.minimal_sut", str(first), str(logs))
            theirs.append(figure(read_log(logs)))

        for side in (mlharness, minimal) if number % 2 else (minimal, mlharness):
            side()
        found.append((ours[0], theirs[0]))
    return found


def rows(root: Path, repeat: int) -> list[Row]:
    """The difference of SingleStream's median latency, and the share that Offline loses."""
    single = pairs(root, "SingleStream", repeat, lambda log: log.latencies("SingleStream")["p50"] / 1e3)
    offline = pairs(root, "Offline", repeat, lambda log: log.need("result_samples_per_second"))
    added = median([ours - theirs for ours, theirs in single])
    lost = median([1 - ours / theirs for ours, theirs in offline])
    return [
        Row(f"{MODEL}, SingleStream p50, us: mlharness", "", spread([ours for ours, _ in single], "{:.0f}"), True),
        Row(f"{MODEL}, SingleStream p50, us: minimal", "", spread([theirs for _, theirs in single], "{:.0f}"), True),
        Row(f"{MODEL}, SingleStream: us added, median over the pairs", "10 or less", f"{added:.1f}", added <= 10),
        Row(f"{MODEL}, Offline samples/s: mlharness", "", spread([ours for ours, _ in offline], "{:.1f}"), True),
        Row(f"{MODEL}, Offline samples/s: minimal", "", spread([theirs for _, theirs in offline], "{:.1f}"), True),
        Row(f"{MODEL}, Offline: share lost, median over the pairs, %", "3 or less", f"{100 * lost:.2f}", lost <= 0.03),
    ]
