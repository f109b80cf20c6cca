"""The pages, and a place in which their examples run."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PLUGIN = DOCS / "examples" / "mlharness-matrix"


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files of docs/examples in it; ``mlh`` on the path, and user folders of its own."""
    folder = tmp_path / "work"
    shutil.copytree(DOCS / "examples", folder)
    monkeypatch.chdir(folder)
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(tmp_path / kind.lower()))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    # What a page installs goes there, by what is installed already: nothing is fetched.
    pip = {
        "TARGET": str(tmp_path / "site"),
        "NO_DEPS": "1",
        "NO_BUILD_ISOLATION": "0",
        "DISABLE_PIP_VERSION_CHECK": "1",
    }
    for option, value in pip.items():
        monkeypatch.setenv(f"PIP_{option}", value)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def example_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin of docs/examples, installed for this test: its module and metadata on the path of new processes."""
    site = tmp_path / "site"
    info = site / "mlharness_matrix-0.1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(PLUGIN / "mlharness_matrix.py", site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mlharness-matrix\nVersion: 0.1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[mlharness]\nmatrix = mlharness_matrix\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site))
    found = [dist.name for dist in metadata.distributions(path=[str(site)])]
    assert found == ["mlharness-matrix"]
