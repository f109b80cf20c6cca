"""An author's plugin, from ``mlh init plugin`` to a benchmark in an environment that holds nothing but wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

KERNEL = Path(__file__).parents[2]
RUNNERS_OWN = ("PYTHONPATH", "PYTHONHOME", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""Variables that would bring the environment of these tests into the author's."""


def call(*command: str, env: Mapping[str, str], cwd: Path) -> str:
    """Run a command and return what it printed on stdout."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=cwd, env=env)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build_wheel(source: Path, dist: Path, env: Mapping[str, str]) -> Path:
    """The wheel of a source tree, built as ``pip wheel`` builds it."""
    before = set(dist.glob("*.whl"))
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(dist), str(source), env=env, cwd=dist)
    (wheel,) = set(dist.glob("*.whl")) - before
    return wheel


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The tests' own variables, with the user's folders moved."""
    kept = {name: value for name, value in os.environ.items() if name not in RUNNERS_OWN}
    folders = {f"MLH_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
    return {**kept, **folders, "MLH_BLOCK_PLUGINS": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def test_a_new_plugin_is_discovered_and_benchmarked(tmp_path: Path, env: dict[str, str]) -> None:
    dist, elsewhere = tmp_path / "dist", tmp_path / "elsewhere"
    dist.mkdir()
    elsewhere.mkdir()
    call(sys.executable, "-m", "mlharness", "init", "plugin", "mine", env=env, cwd=tmp_path)
    wheels = [build_wheel(KERNEL, dist, env), build_wheel(tmp_path / "mlharness-mine", dist, env)]
    assert templates_in(wheels[0]) == templates_in_source()

    call(sys.executable, "-m", "venv", str(tmp_path / "venv"), env=env, cwd=tmp_path)
    scripts = tmp_path / "venv" / "bin"
    call(str(scripts / "python"), "-m", "pip", "install", "-q", *map(str, wheels), "pytest", env=env, cwd=elsewhere)

    def mlh(*arguments: str) -> Any:
        return json.loads(call(str(scripts / "mlh"), *arguments, "--json", env=env, cwd=elsewhere))

    mine = [plugin for plugin in mlh("plugins")["plugins"] if not plugin["builtin"]]
    assert [(plugin["name"], plugin["state"]) for plugin in mine] == [("mlharness-mine", "loaded")]
    assert mine[0]["provides"]["framework"] == ["mine"]
    assert mine[0]["provides"]["step"] == ["mine.centre"]

    result = mlh("bench", "mine-model", "--mode", "both", "--duration", "1")
    assert result["status"] == "valid"
    assert result["framework"]["plugin"] == "mlharness-mine"
    assert result["accuracy"]["passed"]

    again = call(str(scripts / "python"), "-m", "pytest", "-q", env=env, cwd=tmp_path / "mlharness-mine")
    assert " passed" in again
    assert "skipped" not in again


def templates_in(wheel: Path) -> set[str]:
    """The templates that a wheel of mlharness carries."""
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if name.startswith("mlharness/templates/") and not name.endswith("/")}


def templates_in_source() -> set[str]:
    """The templates of this checkout."""
    found = (KERNEL / "mlharness" / "templates").rglob("*")
    return {path.relative_to(KERNEL).as_posix() for path in found if path.is_file()}
