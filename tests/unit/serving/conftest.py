"""The application over a store of a test's own, asked without a network."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from mlharness.serving.application import Application
from mlharness.serving.gate import Gate
from tests.unit.store.making import write_run

RUN = "20260301T100000Z-tiny-Offline-aaaaaa"
OTHER = "20260302T100000Z-tiny-Offline-bbbbbb"
LOCAL = Gate(frozenset({"localhost"}), "", "mlh_ui")


@dataclass
class Asked:
    """Asks, and keeps what the application told beside its answers."""

    client: Client
    told: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __call__(self, path: str, **options: Any) -> TestResponse:
        """The answer to GET."""
        return self.client.get(path, **options)

    def text(self, path: str, status: int = 200) -> str:
        """The page, which must have that status."""
        answer = self(path)
        assert answer.status_code == status, answer.text
        return answer.text


def words(page: str) -> str:
    """What is to be read on a page."""
    body = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", page).partition("<body")[2].partition(">")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def headline(answer: TestResponse) -> str:
    """What is to be read below the bar of links."""
    return words(answer.text).partition("Sweeps ")[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where mlh bench keeps runs: nothing is there yet, and nothing in the store."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("MLH_STORE", raising=False)
    path = tmp_path / "data" / "runs"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def serve(root: Path) -> Callable[[Gate], Asked]:
    """``serve(gate)``: an application of its own."""

    def make(gate: Gate = LOCAL) -> Asked:
        told: list[str] = []
        failed: list[str] = []
        return Asked(Client(Application(gate, told.append, failed.append)), told, failed)

    return make


@pytest.fixture
def ask(serve: Callable[[Gate], Asked]) -> Asked:
    """``ask(path)``, on loopback."""
    return serve(LOCAL)


@pytest.fixture
def run(root: Path) -> Path:
    """A run that the store will find."""
    return write_run(root, RUN)
