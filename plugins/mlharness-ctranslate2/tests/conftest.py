"""What the tests share: the user's folders moved away."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["mlharness.testing.fixtures"]


@pytest.fixture(autouse=True)
def _own_user_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))
