"""Installs the plugins of ``tests/plugins_fake`` the fast way: metadata and module in a folder on ``sys.path``."""

from __future__ import annotations

import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FAKES = Path(__file__).parent / "plugins_fake"


def install_fakes(monkeypatch: pytest.MonkeyPatch, site: Path, *names: str) -> list[metadata.EntryPoint]:
    """Install these folders of ``plugins_fake`` into the folder ``site`` for one test.

    Returns their entry points, for tests that want no other plugin: ``build_manager(entry_points=...)``.
    """
    for name in names:
        monkeypatch.delitem(sys.modules, copy_fake(site, name).stem, raising=False)
    monkeypatch.syspath_prepend(str(site))
    found = metadata.distributions(path=[str(site)])
    return [entry for distribution in found for entry in distribution.entry_points]


def copy_fake(site: Path, name: str) -> Path:
    """Put one fake's module and metadata into the folder ``site``, for a process that has it on its path."""
    site.mkdir(exist_ok=True)
    module = next((FAKES / name).glob("*.py"))
    project: dict[str, Any] = tomllib.loads((FAKES / name / "pyproject.toml").read_text("utf-8"))["project"]
    shutil.copy(module, site)
    _write_metadata(site, project)
    return module


def _write_metadata(site: Path, project: dict[str, Any]) -> None:
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8"
    )
    entries = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["mlharness"].items())
    (info / "entry_points.txt").write_text(f"[mlharness]\n{entries}", "utf-8")
