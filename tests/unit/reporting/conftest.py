"""What tests of pages have in common."""

from __future__ import annotations

import pytest


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart library of a few letters, since the real one takes a second: what is read is what the project writes."""
    monkeypatch.setattr("mlharness.reporting.page.library", lambda: "window.vegaEmbed = null;")
