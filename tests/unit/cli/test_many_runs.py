"""A store of ten thousand runs is listed before anyone notices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mlharness.store.index import index
from mlharness.store.opening import open_store
from tests.unit.store.making import a_result

MANY = 10_000
LONGEST_S = 0.3
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten thousand runs where mlh bench keeps them, which the store knows."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("MLH_STORE", raising=False)
    root = tmp_path / "data" / "runs"
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


LISTS: dict[tuple[str, ...], int] = {
    (): 51,
    ("--limit", "0"): MANY + 1,
    ("--limit", "0", "--label", "third=0"): (MANY + 2) // 3 + 1,
    ("--model", "t*y", "--status", "valid", "--since", "2026-01-05"): 51,
}
"""Options, and how many lines they print."""
# Seconds of a processor, best of five: what others take of the machine meanwhile is theirs.
_TIMED = """
import contextlib, io, json, sys, time
from mlharness.cli.main import main
found = []
for words in json.loads(sys.argv[1]):
    took = []
    for _ in range(6):
        printed = io.StringIO()
        start = time.process_time()
        with contextlib.redirect_stdout(printed):
            assert main(["runs", *words]) == 0
        took.append(time.process_time() - start)
    found.append([min(took), len(printed.getvalue().splitlines())])
print(json.dumps(found))
"""
PAGES: dict[str, int] = {
    "/": 100,
    "/?page=100": 100,
    "/?page=50&sort=figure": 100,
    "/?label=third=0&sort=-p90&page=34": 34,
    "/?model=t*y&status=valid&since=2026-01-05&sort=host": 100,
}
"""Addresses of mlh ui, and how many runs each shows."""
_SERVED = """
import json, sys, time
from werkzeug.test import Client
from mlharness.serving import shelf
from mlharness.serving.application import Application
from mlharness.serving.gate import Gate
shelf.FRESH_S = -1.0  # each time with a look at the run directories
client = Client(Application(Gate(None, "", ""), lambda text: None, print))
found = []
for path in json.loads(sys.argv[1]):
    took = []
    for _ in range(6):
        start = time.process_time()
        answer = client.get(path)
        took.append(time.process_time() - start)
        assert answer.status_code == 200, answer.text
    found.append([min(took), answer.text.count('aria-label="Choose ')])
print(json.dumps(found))
"""


def timed(program: str, asked: Iterable[object]) -> list[tuple[float, int]]:
    """What a program prints of each thing that it is asked: seconds, and how many runs."""
    # in a process that is not traced for coverage
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-c", program, json.dumps(list(asked))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return [(seconds, count) for seconds, count in json.loads(done.stdout)]


@pytest.mark.alone
def test_ten_thousand_runs_are_listed_in_less_than_300_ms(many: Path) -> None:
    # and are shown in a browser as fast; one test, since making so many takes longer than both
    programs: tuple[tuple[str, Mapping[Any, int]], ...] = ((_TIMED, LISTS), (_SERVED, PAGES))
    for program, asked in programs:
        found = timed(program, asked)
        assert [count for _, count in found] == list(asked.values())
        assert max(seconds for seconds, _ in found) < LONGEST_S, found
