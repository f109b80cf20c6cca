"""One real run for all tests of bundles, and its bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.bundling.making import bundle_of, make_run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory. Nobody may change it."""
    return make_run(tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="session")
def bundle(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle. Nobody may change it."""
    target = tmp_path_factory.mktemp("bundle") / "run.mlhz"
    bundle_of(made, target)
    return target


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of the run directory, for tests that change it."""
    copy = tmp_path / made.name
    shutil.copytree(made, copy)
    return copy


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's folders are the test's own."""
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(tmp_path / kind.lower()))
