"""Runs and their store: each run is in it, and none needs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MLH, Bench, Ran
from tests.postgresql import Server

SHORT = ("null", "--duration", "0.2", "--json")


@pytest.fixture
def user(environment: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a user without runs."""
    return {**environment, "MLH_DATA_DIR": str(tmp_path / "data")}


def runs(user: Mapping[str, str], *words: str) -> tuple[int, Any, str]:
    """``mlh runs`` with these words: exit code, document, and what it said."""
    done = subprocess.run([*MLH, "runs", *words, "--json"], capture_output=True, text=True, check=False, env=user)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def listed(user: Mapping[str, str]) -> list[str]:
    """The run ids that ``mlh runs`` lists."""
    return [row["run_id"] for row in runs(user)[1]["runs"]]


def check_complete(ran: Ran, *words: str) -> None:
    """The run is valid and whole, and a warning says what is wrong with the store."""
    assert ran.code == 0
    assert ran.document["status"] == "valid"
    assert ran.result == ran.document
    (warning,) = [warning for warning in ran.document["warnings"] if "builtin-store" in warning]
    assert all(word in warning for word in words), warning
    assert warning in ran.err


def test_a_run_is_in_the_store_wherever_it_is_kept(bench: Bench, user: dict[str, str]) -> None:
    ran = bench(*SHORT, "--label", "who=ci", env=user)
    (row,) = runs(user)[1]["runs"]
    assert (row["run_id"], row["labels"], row["directory"]) == (ran.run.name, {"who": "ci"}, str(ran.run))
    code, shown, _ = runs(user, "show", "@last")
    assert (code, shown) == (0, ran.result)


def test_without_the_plugin_the_store_catches_up(user: dict[str, str]) -> None:
    command = [*MLH, "bench", *SHORT, "--block", "builtin-store"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=user)
    assert not (Path(user["MLH_DATA_DIR"]) / "store.sqlite3").exists()
    assert listed(user) == [json.loads(done.stdout)["run_id"]]


def test_a_store_on_a_full_disk(bench: Bench, user: dict[str, str], small_disk: Path | None) -> None:
    if small_disk is None:
        return
    store = {**user, "MLH_STORE": str(small_disk / "store.sqlite3")}
    first = bench(*SHORT, env=store)
    filler = small_disk / "filler"
    filler.write_bytes(os.urandom(shutil.disk_usage(small_disk).free))
    second = bench(*SHORT, env=store)
    check_complete(second, "the store", "is on a disk that is full")
    for words in (["index", str(first.root)], []):  # SQLite needs a few pages beside the file to read it
        code, told, _ = runs(store, *words)
        assert code == 2
        assert "is on a disk that is full" in told["error"]["message"]
    filler.unlink()
    assert runs(store, "index", str(first.root))[0] == 0
    assert sorted(listed(store)) == sorted(path.name for path in first.root.iterdir())


def test_a_disk_that_is_full_before_there_is_a_store(
    bench: Bench, user: dict[str, str], small_disk: Path | None
) -> None:
    if small_disk is None:
        return
    (small_disk / "filler").write_bytes(os.urandom(shutil.disk_usage(small_disk).free))
    check_complete(bench(*SHORT, env={**user, "MLH_STORE": str(small_disk / "store.sqlite3")}), "store.sqlite3", "full")


def test_a_store_that_is_none(bench: Bench, user: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "store").write_text("these are no tables" * 1000, "utf-8")
    check_complete(bench(*SHORT, env={**user, "MLH_STORE": str(tmp_path / "store")}), "is no SQLite file")
    code, told, _ = runs({**user, "MLH_STORE": str(tmp_path / "store")})
    assert code == 2
    assert "Move it away" in told["error"]["remedy"]


def test_a_server_has_the_runs_of_a_team(bench: Bench, user: dict[str, str], server: Server) -> None:
    team = {**user, "MLH_STORE": server.url}
    ran = bench(*SHORT, env=team)
    assert listed({**team, "MLH_DATA_DIR": user["MLH_DATA_DIR"] + "-of-another"}) == [ran.run.name]
    assert listed(user) == []


def test_a_server_that_goes_in_mid_run(user: dict[str, str], server: Server, tmp_path: Path) -> None:
    team = {**user, "MLH_STORE": server.url}
    assert listed(team) == []
    command = [*MLH, "bench", "null", "--duration", "2", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=team
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = ""
        while not said.startswith("measure"):
            said = process.stderr.readline()
            assert said, "the run ended early"
        server.stop(signal.SIGQUIT)
        out, err = process.communicate()
    document = json.loads(out)
    root = Path(user["MLH_DATA_DIR"]) / "runs"
    check_complete(Ran(process.returncode, out, err, root), "the store", "cannot be used", "mlh runs adds them later")
    assert runs(team)[0] == 2
    server.start()
    assert listed(team) == [document["run_id"]]
    assert runs(team, "show", "@last")[1] == document
