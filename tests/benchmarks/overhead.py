"""What mlharness adds to a real model with trained weights."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.measure import Row
from tests.benchmarks.pairs import Subject, offline, single_stream

SUBJECT = Subject("efficientnet-lite0")


def rows(root: Path, repeat: int) -> list[Row]:
    """SingleStream and Offline, beside a minimal SUT around the same predictor."""
    return [*single_stream(root, SUBJECT, repeat), *offline(root, SUBJECT, repeat)]
