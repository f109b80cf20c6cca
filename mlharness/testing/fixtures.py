"""pytest fixtures. A ``conftest.py`` asks for them: ``pytest_plugins = ["mlharness.testing.fixtures"]``.

They are no pytest plugin by entry point: that would load into every pytest session of an environment that holds
mlharness, and cost each its start, whether it tests a plugin or not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlharness.testing.benching import run_with_loadgen
from mlharness.testing.running import InProcessRun, run_in_process


@pytest.fixture(scope="session")
def mlh_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for a session's user files; the null floor, kept in it, is measured once."""
    return tmp_path_factory.mktemp("mlharness")


@pytest.fixture
def mlh_home(mlh_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Moves the user's data, cache and configuration into the session's folder, for this process and its children."""
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(mlh_folder / kind.lower()))
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)
    return mlh_folder


@pytest.fixture
def mlh_in_process(mlh_home: Path) -> Callable[..., InProcessRun]:
    """:func:`mlharness.testing.run_in_process`, away from the user's folders."""
    return run_in_process


@pytest.fixture
def mlh_bench(mlh_home: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """:func:`mlharness.testing.run_with_loadgen`, with run directories under the test's ``tmp_path / "runs"``."""
    return partial(run_with_loadgen, root=tmp_path / "runs")
