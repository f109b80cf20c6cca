"""The run that most tests of the analyses look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlharness.analysis.catalogue import find_analysis
from mlharness.analysis.traced import Traced
from tests.unit.analysis.golden import traced_run

Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """Five queries of :data:`tests.traces.NETWORK`, one of them slow in two layers."""
    return traced_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def rows(traced: Traced) -> Rows:
    """``rows(number)``: those of an analysis of that run."""
    return lambda number: rows_of(traced, number)


def rows_of(traced: Traced, number: str) -> list[dict[str, Any]]:
    """The rows of an analysis, each by the columns' keys."""
    found: list[dict[str, Any]] = find_analysis(number).run(traced).document()["rows"]
    return found
