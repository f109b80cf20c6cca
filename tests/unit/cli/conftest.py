"""Runs ``mlh`` in this process and keeps what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlharness.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What one command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document of stdout."""
        return json.loads(self.out)


Mlh = Callable[..., Ran]


@pytest.fixture
def mlh(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mlh:
    """``mlh(*arguments)``, with the user's folders moved to the test's."""
    for variable in ("MLH_DATA_DIR", "MLH_CACHE_DIR", "MLH_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run
