"""Eight processes write many runs into a store that none of them has made yet, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlharness.store.opening import open_store
from mlharness.store.querying import Filter, count_runs, list_runs
from tests.unit.store.making import a_result

PROCESSES = 8
RUNS, ALL_RUNS = 160, 1000
"""How many runs all of them write; the latter with ``--full``."""
# One transaction a run, as mlh bench does.
_WRITER = """
import sys
from pathlib import Path
from mlharness.store.index import index
from mlharness.store.opening import open_store
sys.stdin.readline()
store = open_store()
for line in Path(sys.argv[1]).read_text("utf-8").splitlines():
    found = index(store, [Path(line)])
    assert len(found.added) == 1, found
"""


@pytest.mark.counted
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_eight_writers_lose_nothing(database: str, tmp_path: Path, request: pytest.FixtureRequest, full: bool) -> None:
    runs = ALL_RUNS if full else RUNS
    on_server = database == "postgresql"
    url: str = request.getfixturevalue("server").url if on_server else str(tmp_path / "store.sqlite3")
    root = tmp_path / "runs"
    root.mkdir()
    document = a_result("x")
    names = [f"run-{number:04}" for number in range(runs)]
    for name in names:
        (root / name).mkdir()
        changed = {**document, "run_id": name, "labels": {"number": name, "half": str(int(name[-4:]) % 2)}}
        (root / name / "result.json").write_text(json.dumps(changed), "utf-8")
    lists = [tmp_path / f"list-{number}" for number in range(PROCESSES)]
    for number, path in enumerate(lists):
        path.write_text("\n".join(str(root / name) for name in names[number::PROCESSES]), "utf-8")
    environment = {**os.environ, "MLH_STORE": url}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        for path in lists
    ]  # fmt: skip
    for writer in writers:  # all at once
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    told = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES, told
    store = open_store(url)
    assert sorted(row["run_id"] for row in list_runs(store, Filter())) == names
    assert all(row["labels"]["number"] == row["run_id"] for row in list_runs(store, Filter()))
    assert count_runs(store, Filter(labels=(("half", "1"),))) == runs // 2
