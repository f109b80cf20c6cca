"""How often ``mlh compare`` calls the same thing different, and how often it sees a change that was really made.

One model is recorded in four versions, which take turns: two that are the same (A and A'), one that works 5 % longer
and one that works 10 % longer. The work is a loop of a fixed length after each prediction, so that it slows down with
the machine as the model does. All comparisons are then made of the recorded runs, by what ``mlh compare`` itself uses.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mlharness.comparing.comparison import compare_pair
from mlharness.comparing.groups import PAIR, SERIES, Group, side_label
from mlharness.comparing.runs import Run, read_run
from tests.benchmarks.measure import Row, mlh_bench

MODEL = "digits-cnn"
"""Thousands of queries a second: a run of one second has a stable 90th percentile."""
CYCLES_A_REPEAT = 12
"""With the usual ``--repeat 5`` there are 60 cycles of four runs, which take about 20 minutes."""
SIZES = (5, 7, 10, 15)
"""Pairs of a comparison."""
DRAWS = 1000
SHARES = {"B5": 0.05, "B10": 0.10}
VERSIONS = ("A", "A'", *SHARES)
ARGUMENTS = ("--duration", "1", "--threads", "1", "--trust")
MOST_FALSE = 0.05
_PROBE = 2_000
"""Turns of the loop by which its speed is found: some tens of microseconds."""

Cycle = Mapping[str, Run]


@dataclass(frozen=True)
class Outcome:
    """Of many comparisons: the share that saw b faster or slower, by metric, and in any metric.

    ``smallest`` is the median of the smallest changes that they could have seen.
    """

    faster: Mapping[str, float]
    slower: Mapping[str, float]
    any_metric: float
    smallest: Mapping[str, float]

    def different(self, metric: str) -> float:
        """The share that called the two different."""
        return self.faster[metric] + self.slower[metric]


def rows(root: Path, repeat: int) -> Iterator[Row]:
    """False positives and power, of pairs and of independent runs."""
    cycles = record(root, repeat * CYCLES_A_REPEAT)
    yield from analyse(cycles)


def record(root: Path, count: int) -> list[Cycle]:
    """``count`` cycles of all versions; every second one in the opposite order."""
    folder = root / "manifests"
    folder.mkdir(parents=True)
    turns = calibrate(root / "calibration", folder)
    manifests = {name: write_manifest(folder, turns.get(name, 0)) for name in VERSIONS}
    cycles: list[Cycle] = []
    for number in range(count):
        order = VERSIONS if number % 2 == 0 else VERSIONS[::-1]
        cycles.append({name: run(root / "runs", manifests[name], f"{name}-{number}") for name in order})
        print(f"cycle {number + 1} of {count}", file=sys.stderr, flush=True)
    return cycles


def calibrate(root: Path, folder: Path) -> dict[str, int]:
    """How many turns of the loop take each share of a query's median latency."""
    manifests = write_manifest(folder, 0), write_manifest(folder, _PROBE)
    probes = [[run(root, manifest, "probe").result["latency_ns"]["p50"] for manifest in manifests] for _ in range(3)]
    without, with_ = (min(latencies) for latencies in zip(*probes, strict=True))
    turns_a_query = _PROBE * without / (with_ - without)
    return {name: round(share * turns_a_query) for name, share in SHARES.items()}


def write_manifest(folder: Path, turns: int) -> Path:
    """The model with a loop of so many turns before its postprocessing. All versions have the loop."""
    from mlharness.cli.discovery import library

    shipped = library().model(MODEL).origin.path
    document: dict[str, Any] = yaml.safe_load(shipped.read_text("utf-8"))
    # not range(), whose turns cost more from the 257th number on, which Python has to make first
    loop = f"for _ in itertools.repeat(None, {turns}):\n        pass"
    source = f"import itertools\n\ndef postprocess(ctx, data):\n    {loop}\n    return data[0]\n"
    document["postprocess"] = [{"python": source}, *document["postprocess"]]
    path = folder / f"turns-{turns}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return path


def run(root: Path, manifest: Path, turn: str) -> Run:
    """One short run. What it trusts is remembered beside it, not among what the user trusts."""
    environment = {**os.environ, "MLH_DATA_DIR": str(root.parent / "data")}
    _, directory = mlh_bench(root, str(manifest), *ARGUMENTS, "--label", f"turn={turn}", environment=environment)
    return read_run(directory)


def read_cycles(root: Path) -> list[Cycle]:
    """The cycles of :func:`record` again, those in which every run is there."""
    found: dict[int, dict[str, Run]] = {}
    for path in sorted((root / "runs").glob("*/result.json")):
        recorded = read_run(path.parent)
        name, _, number = str(recorded.label("turn")).rpartition("-")
        found.setdefault(int(number), {})[name] = recorded
    return [dict(found[number]) for number in sorted(found) if len(found[number]) == len(VERSIONS)]


def analyse(cycles: Sequence[Cycle]) -> Iterator[Row]:
    """The table over recorded cycles."""
    yield Row(f"cycles of {', '.join(VERSIONS)}: {MODEL}, SingleStream, 1 s", "", str(len(cycles)), True)
    yield Row("grades of the runs", "", grades(cycles), True)
    for name, share in SHARES.items():
        yield Row(f"{share:.0%} more work: change over all cycles, the figure and p50", "", real(cycles, name), True)
    for in_pairs in (True, False):
        for pairs in SIZES:
            if pairs <= len(cycles):
                yield from with_pairs(cycles, pairs, in_pairs)


def with_pairs(cycles: Sequence[Cycle], pairs: int, in_pairs: bool) -> Iterator[Row]:
    """False positives and power of so many pairs, by the metric that decides; others beside it."""
    design = f"{pairs} pairs" if in_pairs else f"{pairs} and {pairs} independent runs"
    same = outcome(cycles, "A'", in_pairs, pairs)
    decides, *others = same.faster
    yield Row(
        f"A/A, {design}: called different", f"{MOST_FALSE:.0%} or less",
        f"{same.different(decides):.1%} ({', '.join(f'{name} {same.different(name):.1%}' for name in others)}; "
        f"any {same.any_metric:.1%})",
        same.different(decides) <= MOST_FALSE,
    )  # fmt: skip
    for name, share in SHARES.items():
        changed = outcome(cycles, name, in_pairs, pairs)
        beside = ", ".join(f"{other} {changed.slower[other]:.1%}" for other in others)
        yield Row(
            f"{share:.0%} more work, {design}: called slower; median of what it could have seen", "",
            f"{changed.slower[decides]:.1%} ({beside}; called faster {changed.faster[decides]:.1%}); "
            f"{changed.smallest[decides]:.1%} (p50 {changed.smallest['p50']:.1%})",
            True,
        )  # fmt: skip


def outcome(cycles: Sequence[Cycle], version: str, in_pairs: bool, pairs: int, draws: int = DRAWS) -> Outcome:
    """Comparisons of A with another version, each of so many cycles drawn without replacement, in their order.

    Where both are the same, which of the two of a cycle counts as A is drawn, too.
    """
    draw = random.Random(7)  # noqa: S311  # not for secrets
    found = []
    for _ in range(draws):
        chosen = [cycles[place] for place in sorted(draw.sample(range(len(cycles)), pairs))]
        sides = [("A", version) if version in SHARES or draw.random() < 0.5 else (version, "A") for _ in chosen]
        a, b = ([cycle[side[place]] for cycle, side in zip(chosen, sides, strict=True)] for place in (0, 1))
        found.append(compare_pair(group("A", a, in_pairs), group("B", b, in_pairs)))
    return summarise(found)


def group(side: str, runs: Sequence[Run], in_pairs: bool) -> Group:
    """The runs as one side; in pairs by the labels of ``mlh bench --against``."""
    labels = [{SERIES: side_label("drawn", side), PAIR: str(number)} if in_pairs else {} for number in range(len(runs))]
    made = (replace(run, result={**run.result, "labels": label}) for run, label in zip(runs, labels, strict=True))
    return Group(side, tuple(made))


def summarise(comparisons: Sequence[Mapping[str, Any]]) -> Outcome:
    """The shares of verdicts, by metric, the one that decides first."""
    found = [{metric["name"]: metric for metric in one["metrics"]} for one in comparisons]
    count = len(found)

    def share(name: str, verdict: str) -> float:
        return [one[name]["verdict"] for one in found].count(verdict) / count

    return Outcome(
        {name: share(name, "faster") for name in found[0]},
        {name: share(name, "slower") for name in found[0]},
        sum(any(metric["verdict"] in ("faster", "slower") for metric in one.values()) for one in found) / count,
        {name: statistics.median(one[name]["smallest"] for one in found) for name in found[0]},
    )


def real(cycles: Sequence[Cycle], version: str) -> str:
    """The change over all cycles, with its interval."""
    sides = [[cycle[name] for cycle in cycles] for name in ("A", version)]
    metrics = compare_pair(group("A", sides[0], True), group("B", sides[1], True))["metrics"]
    return "; ".join(
        f"{metric['ratio'] - 1:+.1%} ({metric['interval'][0] - 1:+.1%} to {metric['interval'][1] - 1:+.1%})"
        for metric in metrics
        if metric["decides"] or metric["name"] == "p50"
    )


def grades(cycles: Sequence[Cycle]) -> str:
    """How many runs have each grade."""
    found = [str((run.result["quality"] or {}).get("grade")) for cycle in cycles for run in cycle.values()]
    return ", ".join(f"{found.count(grade)} {grade}" for grade in sorted(set(found)))


def main() -> None:
    """``python -m tests.benchmarks.compare FOLDER``: the table again, from runs that were recorded there."""
    for row in analyse(read_cycles(Path(sys.argv[1]))):
        print(f"{row.name}: {row.found}{'' if row.met else ' (NOT MET)'}")


if __name__ == "__main__":
    main()
