"""Runs ``mlh`` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlharness.cli.main import main
from mlharness.interrupts import SIGNALS
from tests.postgresql import Server, running_server

MLH = (sys.executable, "-m", "mlharness")


@dataclass(frozen=True)
class Ran:
    """What one command left: its exit code, what it printed, and the folder that it wrote runs into."""

    code: int
    out: str
    err: str
    root: Path

    @property
    def document(self) -> Any:
        """The one JSON document of stdout."""
        return json.loads(self.out)

    @property
    def run(self) -> Path:
        """The latest run directory."""
        return max(self.root.iterdir(), key=lambda path: path.stat().st_mtime)

    @property
    def result(self) -> Any:
        """The document of the latest run's ``result.json``."""
        return json.loads((self.run / "result.json").read_text("utf-8"))


Bench = Callable[..., Ran]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The tests' own environment, with the user's folders moved; the null floor is measured once for all."""
    base = tmp_path_factory.mktemp("user")
    folders = {f"MLH_{kind}_DIR": str(base / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
    return {**os.environ, **folders, "MLH_BLOCK_PLUGINS": ""}


@pytest.fixture
def bench(environment: Mapping[str, str], tmp_path: Path) -> Bench:
    """``bench(*arguments, env={...})``: ``mlh bench`` with run directories under the test's folder."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ran:
        root = tmp_path / "runs"
        done = subprocess.run(
            [*MLH, "bench", "--output", str(root), *arguments],
            capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path, env={**environment, **(env or {})},
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr, root)

    return run


@pytest.fixture
def bench_here(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Bench]:
    """As ``bench``, in the process of the test, which saves the start of one: for what is refused before it runs."""
    for name, value in environment.items():
        if name.startswith("MLH_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    before = [signal.getsignal(number) for number in SIGNALS]

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(["bench", "--output", str(tmp_path / "runs"), *arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err, printed.err
        return Ran(code, printed.out, printed.err, tmp_path / "runs")

    yield run
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path | None]:
    """A file system of 2 MiB, which only root can mount; None for others, when the test has passed in a namespace."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        try_mount(["unshare", "-rm", *command])
        inner = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "inner")]
        rerun = ["unshare", "-rm", *inner, request.node.nodeid]
        done = subprocess.run(rerun, capture_output=True, text=True, check=False, cwd=request.config.rootpath)
        assert done.returncode == 0, done.stdout
        yield None
        return
    try_mount(command)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607  # wherever umount is


def try_mount(command: Sequence[str]) -> None:
    """Mount a file system; where that cannot be, skip the test, but in CI fail it, since it would never run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        problem = done.stderr.strip() if done.returncode else ""
    except OSError as error:
        problem = str(error)
    if problem:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"no file system can be mounted here: {problem}")


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL server of this test's own, which it may stop."""
    with running_server() as found:
        yield found
