"""The framework ``ctranslate2`` holds to the contract, with a small Whisper model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from small import save_small

from mlharness.providers import Model
from mlharness.testing import FrameworkConformance


class TestCTranslate2(FrameworkConformance):
    framework = "ctranslate2"
    options: Mapping[str, Any] = {"max_length": 16}

    def make_model(self, folder: Path) -> Model:
        """Random weights: its answers mean nothing, and differ from sample to sample."""
        return Model("small", tuple(save_small(folder)))
