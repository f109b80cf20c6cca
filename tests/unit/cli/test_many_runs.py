"""A store of ten thousand runs is listed before anyone notices."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from mlharness.store.index import index
from mlharness.store.opening import open_store
from tests.unit.cli.conftest import Mlh
from tests.unit.store.making import a_result

MANY = 10_000
LONGEST_S = 0.3
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlh: Mlh) -> Path:
    """Ten thousand runs where mlh bench keeps them, which the store knows."""
    monkeypatch.delenv("MLH_STORE", raising=False)
    root = tmp_path / "mlh_data_dir" / "runs"
    document = a_result("x")
    for number in range(MANY):
        started = START + timedelta(minutes=number)
        name = f"{started:%Y%m%dT%H%M%SZ}-tiny-Offline-{number:06x}"
        labels = {"third": str(number % 3)}
        changed = {**document, "run_id": name, "started": started.isoformat(timespec="milliseconds"), "labels": labels}
        (root / name).mkdir(parents=True)
        (root / name / "result.json").write_text(json.dumps(changed), "utf-8")
    assert len(index(open_store(), sorted(root.iterdir())).added) == MANY
    return root


WORDS: dict[tuple[str, ...], int] = {
    (): 51,
    ("--limit", "0"): MANY + 1,
    ("--limit", "0", "--label", "third=0"): (MANY + 2) // 3 + 1,
    ("--model", "t*y", "--status", "valid", "--since", "2026-01-05"): 51,
}
"""Options, and how many lines they print."""


@pytest.mark.alone
def test_ten_thousand_runs_are_listed_in_less_than_300_ms(mlh: Mlh, many: Path) -> None:
    for words, lines in WORDS.items():
        took = []
        for _ in range(5):
            start = time.process_time()  # of a processor: what others take of it meanwhile is theirs
            ran = mlh("runs", *words)
            took.append(time.process_time() - start)
            assert len(ran.out.splitlines()) == lines
        assert min(took) < LONGEST_S, (words, took)
