"""The user's folders are the test's."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where environments go."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"
