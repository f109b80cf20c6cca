"""The barest Server system for the null model: it answers on LoadGen's own thread, and keeps nothing.

``python -m tests.soak.bare_server RUN LOGS``: with LoadGen's settings of a finished mlharness run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlperf_loadgen as lg
import numpy as np

from tests.benchmarks.minimal_sut import settings, test


def main(run: Path, logs: Path) -> None:
    """Repeat the run's test."""
    result = json.loads((run / "result.json").read_text("utf-8"))
    answer = np.zeros(1, np.float32)
    address = answer.ctypes.data

    def issue(ids: list[int], indices: list[int]) -> None:
        lg.QuerySamplesComplete([lg.QuerySampleResponse(one, address, 4) for one in ids])

    logs.mkdir(parents=True)
    test(settings(result["calibration"]["settings"]), issue, result["dataset"]["loaded"], logs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
