"""How long ``mlh analyze`` takes."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlharness.trace.parquet import open_trace
from tests.traces import NETWORK, make_run

LIMIT_S = 5.0


@pytest.mark.alone
def test_a_million_spans_are_analysed_in_five_seconds(tmp_path: Path) -> None:
    """The processor's time of the whole program, which waits for nothing: the clock's would be the neighbours', too."""
    layers = [replace(NETWORK[place % len(NETWORK)], name=f"layer{place}") for place in range(50)]
    run = make_run(tmp_path, queries=100, layers=layers, times_over=85)
    with open_trace(run) as database:
        assert database.execute("SELECT count(*) >= 1000000 FROM spans").fetchone() == (True,)
    before = processor_s()
    command = [sys.executable, "-m", "mlharness", "analyze", str(run), "--json"]
    done = subprocess.run(command, capture_output=True, check=True)
    spent = processor_s() - before
    layer = json.loads(done.stdout)["A3"]["rows"][49]
    assert (layer["name"], layer["latency_ns"]) == ("layer49", 50_000)
    assert spent < LIMIT_S


def processor_s() -> float:
    """What all processes that were waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
