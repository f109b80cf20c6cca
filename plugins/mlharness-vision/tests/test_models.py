"""The shipped model files in onnxruntime."""

from __future__ import annotations

import gzip
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


def manifest(kind: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((PACKAGE / "manifests" / kind / f"{name}.yaml").read_text("utf-8"))
    return document


def session(name: str, optimised: Path | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that an optimised file fits this machine only
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(
        PACKAGE / "models" / f"{name}.onnx", options, providers=["CPUExecutionProvider"]
    )


@pytest.mark.parametrize("name", ["efficientnet-lite0", "digits-cnn"])
def test_inputs_and_outputs_are_those_of_the_manifest(name: str) -> None:
    wanted, found = manifest("models", name), session(name)
    for key, real in (("inputs", found.get_inputs()), ("outputs", found.get_outputs())):
        assert [(spec["name"], spec["shape"]) for spec in wanted[key]] == [(spec.name, spec.shape) for spec in real]
        assert {spec.type for spec in real} == {"tensor(float)"}


def test_a_batch_gives_what_its_samples_give_alone() -> None:
    found = session("efficientnet-lite0")
    images = np.random.default_rng(3).uniform(-1, 1, (3, 3, 224, 224)).astype(np.float32)
    together = found.run(["logits"], {"images": images})[0]
    alone = [found.run(["logits"], {"images": images[i : i + 1]})[0][0] for i in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)


def test_half_precision_is_gone_once_the_file_is_loaded(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra `test`)")
    stored = onnx.load(PACKAGE / "models" / "efficientnet-lite0.onnx")
    assert onnx.TensorProto.FLOAT16 in {tensor.data_type for tensor in stored.graph.initializer}
    session("efficientnet-lite0", tmp_path / "optimised.onnx")
    run = onnx.load(tmp_path / "optimised.onnx")
    assert {node.op_type for node in run.graph.node}.isdisjoint({"Cast", "BatchNormalization", "Pad"})
    assert onnx.TensorProto.FLOAT16 not in {tensor.data_type for tensor in run.graph.initializer}


def test_no_file_tells_where_it_was_made() -> None:
    for path in (PACKAGE / "models").glob("*.onnx"):
        data = path.read_bytes()
        assert not [mark for mark in (b".py", b"/home", b"site-packages") if mark in data], path.name


def held_out(locate: Callable[[str], Path]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    options = manifest("datasets", "digits")["options"]
    with gzip.open(locate(options["file"]), "rt", encoding="ascii") as lines:
        rows = np.loadtxt(lines, delimiter=",")[slice(*options["rows"])]
    scale = manifest("models", "digits-cnn")["preprocess"][0]["tensor.scale"]["factor"]
    return (rows[:, :-1] * scale).astype(np.float32).reshape(-1, 1, 8, 8), rows[:, -1].astype(np.int64)


def test_digits_cnn_reaches_its_target_on_the_held_out_digits(locate: Callable[[str], Path]) -> None:
    images, labels = held_out(locate)
    logits = session("digits-cnn").run(["logits"], {"images": images})[0]
    reached = 100 * (logits.argmax(axis=1) == labels).mean()
    target = manifest("models", "digits-cnn")["metric"]["target"]
    assert target <= reached <= target + 1  # a target far below the truth would check nothing
