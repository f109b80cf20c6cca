"""What the kit's run through LoadGen leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.request import Request
from mlharness.testing import benching, run_with_loadgen


def test_runs_of_tests_are_none_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    def stand_in(request: Request) -> dict[str, Any]:
        asked.append(request)
        return {}

    monkeypatch.setattr(benching, "bench", stand_in)
    run_with_loadgen("null", tmp_path)
    states = {plugin.name: plugin.blocked for plugin in asked[0].plugins.found}
    assert states["builtin-store"]
    assert not states["builtin-null"]
