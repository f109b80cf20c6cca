"""Mutated and generated input: never a traceback, never an execution, always file, line and key.

``python -m tests.fuzz --cases N --seed S``; ``--only NUMBER`` repeats one mutated case. Ends with 1 when any failed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.cases import KINDS, Failure, Fuzzer, run_case
from tests.fuzz.generated import generate

GENERATED_SHARE = 0.2
"""How many of the cases hypothesis makes; the others are mutations."""


class Report:
    """Counts cases, and keeps each failure in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.failures, self.seen = folder, 0, Counter[str]()

    def __call__(self, failure: Failure, label: str) -> None:
        """Write the input and what went wrong; print it unless much the same was printed before."""
        self.failures += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.failures:04}-{failure.kind}"
        value = failure.value if isinstance(failure.value, bytes) else repr(failure.value).encode()
        (self.folder / f"{name}.input").write_bytes(value)
        (self.folder / f"{name}.txt").write_text(f"{label}\n{failure.why}\n", "utf-8", "backslashreplace")
        alike = failure.why.strip().splitlines()[-1][:60] if failure.why.strip() else ""
        self.seen[alike] += 1
        if self.seen[alike] == 1:
            print(f"FAILED {label}: {failure.why[-700:]!a}\n  input: {self.folder / name}.input", flush=True)


def run_case_number(fuzzer: Fuzzer, seed: int, number: int) -> Failure | None:
    """One mutated case: kind and input follow from seed and number."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311  # to be repeated, not to be secret
    (kind,) = chance.choices(list(KINDS), [kind.share for kind in KINDS.values()])
    return run_case(fuzzer, kind, KINDS[kind].make(fuzzer, chance))


def main() -> int:
    """Run the cases."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="how many (default 20,000)")
    parser.add_argument("--seed", type=int, default=1, help="what everything random follows from (default 1)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="only the mutated case of this number")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="folder for failing cases")
    given = parser.parse_args()
    report, start = Report(given.failures.absolute()), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mlharness-fuzz-") as folder:
        for kind in ("DATA", "CACHE", "CONFIG"):
            os.environ[f"MLH_{kind}_DIR"] = str(Path(folder) / kind.lower())
        warnings.simplefilter("error")  # a warning would stand between a user and the error
        fuzzer = Fuzzer(Path(folder))
        fuzzer.canary.check()
        done = mutations(fuzzer, report, given.seed, given.cases, given.only)
        if given.only is None:
            label = f"hypothesis, seed {given.seed}"
            wanted = round(given.cases * GENERATED_SHARE)
            done += generate(fuzzer, wanted, given.seed, lambda failure: report(failure, label))
    for kind, code in sorted(fuzzer.codes):
        print(f"{kind}: mlh ended with {code} {fuzzer.codes[kind, code]:,} times")
    print(f"{done:,} cases in {time.monotonic() - start:.0f} s, seed {given.seed}: {report.failures} failed")
    return int(report.failures > 0)


def mutations(fuzzer: Fuzzer, report: Report, seed: int, cases: int, only: int | None) -> int:
    """The mutated cases; returns how many there were."""
    numbers = range(round(cases * (1 - GENERATED_SHARE))) if only is None else range(only, only + 1)
    for number in numbers:
        failure = run_case_number(fuzzer, seed, number)
        if failure is not None:
            report(failure, f"seed {seed}, number {number}")
    return len(numbers)


if __name__ == "__main__":
    sys.exit(main())
