"""Programs that environments are made with: last lines, interrupts, what they inherit; and finding a Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from mlharness.environments.pythons import find_python
from mlharness.environments.tools import check_pip, clean_environment, run
from mlharness.errors import UserError


def python(code: str) -> list[str]:
    """A program."""
    return [sys.executable, "-c", code]


def test_every_line_is_told_and_success_is_silent() -> None:
    said: list[str] = []
    run(python("import sys; print('one'); print('two', file=sys.stderr, end='')"), "trying", said.append)
    assert said == ["one", "two"]


def test_a_failure_shows_the_last_lines() -> None:
    with pytest.raises(UserError, match="trying failed") as caught:
        run(python("for n in range(20): print(n)\nraise SystemExit(1)"), "trying", lambda line: None)
    assert caught.value.message.splitlines()[1:] == [f"  {n}" for n in range(12, 20)]
    with pytest.raises(UserError, match="it said nothing"):
        run(python("raise SystemExit(1)"), "trying", lambda line: None)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(UserError, match="cannot be started"):
        run(["/no/such/program"], "trying", lambda line: None)


def test_an_interrupt_ends_it_and_all_that_it_started() -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']).pid)"
    code += "; sys.stdout.flush(); import time; time.sleep(99)"
    started: list[int] = []

    def stop(line: str) -> None:
        started.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(python(code), "trying", stop)
    (pid,) = started
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_packages_of_this_environment_are_not_carried_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    kept = clean_environment()
    assert "PYTHONPATH" not in kept
    assert kept["PIP_FIND_LINKS"] == "/wheels"


@pytest.mark.parametrize(("version", "words"), [(None, "there is no pip"), ("22.2", "pip 22.2 is too old")])
def test_pip_must_be_there_and_new_enough(monkeypatch: pytest.MonkeyPatch, version: str | None, words: str) -> None:
    def find(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", find)
    with pytest.raises(UserError, match=words) as caught:
        check_pip()
    assert caught.value.remedy.startswith("Run: ")


class TestPython:
    """``--python``."""

    OWN = ".".join(map(str, sys.version_info[:3]))

    @pytest.fixture
    def fake(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
        """``fake(folder, answer)``: a python3.99 in a folder that prints a version or fails."""
        monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}{os.pathsep}{tmp_path / 'bin'}{os.pathsep}/bin")
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))

        def make(folder: str, answer: str) -> Path:
            path = tmp_path / folder / "python3.99"
            path.parent.mkdir(parents=True)
            path.write_text(f"#!/bin/sh\n{answer}\n", "utf-8")
            path.chmod(0o755)
            return path

        return make

    def test_none_and_its_own_version_mean_the_running_one(self) -> None:
        for wished in (None, self.OWN, ".".join(self.OWN.split(".")[:2])):
            assert find_python(wished) == (Path(sys.executable), self.OWN)

    def test_a_shim_that_does_not_work_is_passed_over(self, fake: Callable[[str, str], Path]) -> None:
        fake("shims", "exit 127")
        good = fake("bin", "echo 3.99.1")
        assert find_python("3.99") == (good, "3.99.1")

    def test_pyenvs_newest_is_taken(self, fake: Callable[[str, str], Path]) -> None:
        fake("pyenv/versions/3.99.9/bin", "echo 3.99.9")
        newest = fake("pyenv/versions/3.99.10/bin", "echo 3.99.10")
        assert find_python("3.99") == (newest, "3.99.10")
        assert find_python("3.99.9")[1] == "3.99.9"

    def test_a_path(self, fake: Callable[[str, str], Path]) -> None:
        good = fake("bin", "echo 3.99.1")
        assert find_python(str(good)) == (good, "3.99.1")

    @pytest.mark.parametrize("wished", ["3.98", "three", "/no/such/python", "3"])
    def test_not_found(self, fake: Callable[[str, str], Path], wished: str) -> None:
        with pytest.raises(UserError, match="--python") as caught:
            find_python(wished)
        assert caught.value.remedy
