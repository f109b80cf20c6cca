"""How often ``mlh compare`` calls the same thing different, and how often it sees a change that was really made.

One model is recorded in four versions, which take turns: two that are the same (A and A'), one that works 5 % longer
and one that works 10 % longer. The work is a loop of a fixed length after each prediction, so that it slows down with
the machine as the model does. All comparisons are then made of the recorded runs, by what ``mlh compare`` itself uses.
"""

from __future__ import annotations

import os
import random
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
PAIRS = 7
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
    """Of many comparisons: the share that saw b faster or slower, by metric, and in any metric."""

    faster: Mapping[str, float]
    slower: Mapping[str, float]
    any_metric: float
    smallest: float

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
    metric = cycles[0]["A"].result["metric"]["name"]
    yield Row(f"cycles of {', '.join(VERSIONS)} recorded: {MODEL}, SingleStream, 1 s", "", str(len(cycles)), True)
    yield Row("grades of the runs", "", grades(cycles), True)
    for in_pairs in (True, False):
        design = f"{PAIRS} pairs" if in_pairs else f"{PAIRS} and {PAIRS} independent runs"
        same = outcome(cycles, "A'", in_pairs)
        yield Row(
            f"A/A, {design}: called different", f"{MOST_FALSE:.0%} or less", f"{same.different(metric):.1%} of {DRAWS}",
            same.different(metric) <= MOST_FALSE,
        )  # fmt: skip
        each = ", ".join(f"{name} {same.different(name):.1%}" for name in same.faster if name != metric)
        yield Row(f"A/A, {design}: by other metrics", "", f"{each}; any {same.any_metric:.1%}", True)
        for name, share in SHARES.items():
            changed = outcome(cycles, name, in_pairs)
            yield Row(
                f"{share:.0%} more work, {design}: called slower (faster); smallest effect, median",
                "",
                f"{changed.slower[metric]:.1%} ({changed.faster[metric]:.1%}); {changed.smallest:.1%}",
                True,
            )
    yield from (Row(f"{share:.0%} more work: change over all cycles", "", real(cycles, name), True)
                for name, share in SHARES.items())  # fmt: skip


def outcome(cycles: Sequence[Cycle], version: str, in_pairs: bool, draws: int = DRAWS) -> Outcome:
    """Comparisons of A with another version, each of :data:`PAIRS` cycles drawn without replacement, in their order.

    Where both are the same, which of the two of a cycle counts as A is drawn, too.
    """
    draw = random.Random(7)  # noqa: S311  # not for secrets
    found = []
    for _ in range(draws):
        chosen = [cycles[place] for place in sorted(draw.sample(range(len(cycles)), PAIRS))]
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
    """The shares of verdicts."""
    names = [metric["name"] for metric in comparisons[0]["metrics"]]
    verdicts = [{metric["name"]: metric["verdict"] for metric in one["metrics"]} for one in comparisons]
    count = len(verdicts)
    smallest = sorted(one["metrics"][0]["smallest"] for one in comparisons)
    return Outcome(
        {name: sum(one[name] == "faster" for one in verdicts) / count for name in names},
        {name: sum(one[name] == "slower" for one in verdicts) / count for name in names},
        sum(any(verdict in ("faster", "slower") for verdict in one.values()) for one in verdicts) / count,
        smallest[count // 2],
    )


def real(cycles: Sequence[Cycle], version: str) -> str:
    """The change over all cycles, with its interval."""
    sides = [[cycle[name] for cycle in cycles] for name in ("A", version)]
    found = compare_pair(group("A", sides[0], True), group("B", sides[1], True))["metrics"][0]
    low, high = (f"{bound - 1:+.1%}" for bound in found["interval"])
    return f"{found['ratio'] - 1:+.1%} (95 % interval {low} to {high})"


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
