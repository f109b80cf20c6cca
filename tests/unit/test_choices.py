"""What the user chose can be written down, and read again."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from mlharness.choices import Choices, read_choices

FULL = Choices(
    dataset="digits", framework="onnxruntime>=1.17", scenario="Offline", mode="both", duration_s=2.5, count=7,
    labels={"who": "ci"}, options=("a=b", "c=d"), user_conf=Path("/a/user.conf"), trace=("model",), trust=True,
)  # fmt: skip


@pytest.mark.parametrize("choices", [Choices(), FULL])
def test_choices_are_read_as_they_were_written(choices: Choices) -> None:
    assert read_choices(json.loads(json.dumps(choices.document()))) == choices


@pytest.mark.parametrize("document", [7, {"scenario": "Nowhere"}, {"count": "many"}, {"user_conf": 7}])
def test_anything_else_is_refused(document: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_choices(document)
