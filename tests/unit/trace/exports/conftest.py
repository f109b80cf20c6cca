"""A trace of which every time is known, for all exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.trace.exports.rows import Trace, read_trace
from tests.traces import make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with five queries in a row."""
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def trace(run: Path) -> Trace:
    """Its trace."""
    return read_trace(run)


@pytest.fixture(scope="session")
def overlapping(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """Twelve queries that two instances answer at the same time, issued before the one before them is done."""
    made = make_run(tmp_path_factory.mktemp("server"), queries=12, instances=2, scenario="Server", interval_ns=300_000)
    return read_trace(made)
