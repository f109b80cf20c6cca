"""The newest instruction set that oneDNN may use: set once per process, and left alone by default."""

from __future__ import annotations

import os

import pytest

from mlharness import onednn
from mlharness.errors import UserError
from mlharness.onednn import VARIABLE, limit_instructions


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "_limits", [])
    monkeypatch.setenv(VARIABLE, "USERS")


def test_by_default_the_environment_says() -> None:
    limit_instructions(None)
    assert os.environ[VARIABLE] == "USERS"


def test_its_name_is_that_of_the_library() -> None:
    limit_instructions("avx512_core_vnni")
    assert os.environ[VARIABLE] == "AVX512_CORE_VNNI"


def test_a_process_has_one() -> None:
    for wanted in ("avx2", "avx2", None):
        limit_instructions(wanted)
    with pytest.raises(UserError, match="once per process: it is 'avx2', and not 'sse41'"):
        limit_instructions("sse41")
    assert os.environ[VARIABLE] == "AVX2"
