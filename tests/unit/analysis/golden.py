"""What each analysis gives of one run that never ran: ``python -m tests.unit.analysis.golden`` writes it anew.

Look at the difference before you commit it: the figures in test_analyses.py are worked out by hand.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlharness.analysis.catalogue import ANALYSES
from mlharness.analysis.loading import trace_of
from mlharness.analysis.traced import Peaks, Traced
from tests.traces import Delay, make_run

FOLDER = Path(__file__).parent / "golden"
PEAKS = Peaks(20e9, 2e9, "peaks that were made up: 20 GFLOP/s, 2 GB/s")
"""The ridge is at 10 operations a byte."""
DELAYS = {4: Delay(layers={"conv1": 1_000_000, "conv2": 500_000})}
"""Of five calls one is slow, of which trimmed means know nothing."""


def traced_run(folder: Path, **changes: Any) -> Traced:
    """A run on a host of those peaks."""
    return with_peaks(trace_of(make_run(folder, **{"delays": DELAYS, **changes})))


def with_peaks(traced: Traced) -> Traced:
    """The same, with peaks that need not be measured."""
    missing = {part: why for part, why in traced.missing.items() if part != "peaks"}
    return replace(traced, missing=missing, measure_peaks=lambda: PEAKS)


def tables(traced: Traced) -> dict[str, Any]:
    """Every analysis as JSON, by its number."""
    return {analysis.number: rounded(analysis.run(traced).document()) for analysis in ANALYSES}


def rounded(value: Any) -> Any:
    """The same with twelve digits a number: the last few depend on the order in which a library adds."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def main() -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as folder:
        for number, table in tables(traced_run(Path(folder))).items():
            (FOLDER / f"{number}.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
