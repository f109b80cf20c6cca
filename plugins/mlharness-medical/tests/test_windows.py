"""Frameworks with windows, and MLPerf's manifest on a stand-in for its network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import yaml
from conftest import write_stand_in
from mlharness_medical import plugin
from mlharness_medical.windows import FRAMEWORKS

from mlharness.errors import RunError, UserError
from mlharness.options import resolve_options
from mlharness.plugins import build_manager
from mlharness.providers import Array, Model
from mlharness.testing import run_in_process, run_with_loadgen

MANIFESTS = Path(plugin.__file__).parent / "manifests"
CASES = ["case_00000", "case_00003", "case_00400"]
# Printed by accuracy_kits.py of mlcommons/inference (see test_dice) for the log of its own onnxruntime_SUT.py over
# tests/data/kits19-preprocessed, with ROI_SHAPE = [16, 16, 16] and write_stand_in(..., 16) as the network.
OFFICIAL = {"mean": 0.13668, "kidney": 0.2173, "tumor": 0.0561}


def loaded(path: Path, **options: Any) -> Any:
    """A predictor of the framework with windows."""
    provider = build_manager().catalog.frameworks.find("onnxruntime+slide").provider
    given = {"intra_op_num_threads": 1, **options}
    return provider.load(Model("stand-in", (path,)), "cpu", resolve_options("framework", provider.options, given))


def one_by_one(session: Any, volume: Array, side: int, step: int) -> Array:
    """The weighted mean of windows, float64 [3, d, h, w], written out."""
    line = np.exp(-(((np.arange(side) - (side - 1) / 2) / (0.125 * side)) ** 2) / 2)
    weight = np.cbrt(line[:, None, None] * line[None, :, None] * line[None, None, :])
    sums, weights = np.zeros((3, *volume.shape)), np.zeros(volume.shape)
    for first in range(0, volume.shape[0] - side + 1, step):
        for second in range(0, volume.shape[1] - side + 1, step):
            for third in range(0, volume.shape[2] - side + 1, step):
                place = (slice(first, first + side), slice(second, second + side), slice(third, third + side))
                sums[:, place[0], place[1], place[2]] += (
                    session.run(None, {"input": volume[place][None, None]})[0][0] * weight
                )
                weights[place] += weight
    return np.asarray(sums / weights)


@pytest.mark.parametrize(("together", "batch"), [(1, 1), (1, "n"), (4, "n"), (4, 4), (100, "n")])
def test_windows_add_up_to_their_weighted_mean(tmp_path: Path, together: int, batch: int | str) -> None:
    path = write_stand_in(tmp_path / "model.onnx", 8, batch=batch)
    volumes = np.random.default_rng(3).normal(0, 1, (2, 1, 12, 16, 8)).astype(np.float32)
    predictor = loaded(path, window=[8, 8, 8], windows_per_call=together)
    (found,) = predictor.predict({"input": volumes})
    predictor.close()
    single = write_stand_in(tmp_path / "single.onnx", 8)
    session = onnxruntime.InferenceSession(single, providers=["CPUExecutionProvider"])
    assert (found.dtype, found.shape) == (np.float32, (2, 3, 12, 16, 8))
    for volume, scores in zip(volumes, found, strict=True):
        np.testing.assert_allclose(scores, one_by_one(session, volume[0], 8, 4), rtol=1e-4, atol=1e-5)


def test_a_window_of_another_model_is_refused(tmp_path: Path) -> None:
    path = write_stand_in(tmp_path / "model.onnx", 8)
    for options, said in (
        ({}, r"window is \[128, 128, 128\], and the model takes \[8, 8, 8\]"),
        ({"window": [8, 8]}, r"window is \[8, 8\]"),
        ({"window": [8, 8, 8], "windows_per_call": 0}, "windows_per_call is 0"),
        ({"window": [8, 8, 8], "overlap": -0.5}, r"overlap is -0\.5"),
    ):
        with pytest.raises(UserError, match=said):
            loaded(path, **options)


def test_every_framework_with_a_plugin_is_there() -> None:
    frameworks = build_manager().catalog.frameworks
    for name in FRAMEWORKS:
        assert (f"{name}+slide" in frameworks.names()) == (name in frameworks.names())
    wrapped, plain = (frameworks.find(name).provider for name in ("onnxruntime+slide", "onnxruntime"))
    assert (wrapped.requirement, wrapped.threads) == ("", plain.threads)
    assert {option.name for option in wrapped.options} > {option.name for option in plain.options}


def test_a_framework_that_cannot_be_imported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = build_manager().catalog.frameworks.find("onnxruntime+slide").provider
    assert provider.version() == onnxruntime.__version__
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="onnxruntime cannot be imported") as caught:
        provider.version()
    assert caught.value.remedy == "Run: pip install 'onnxruntime'"


@pytest.fixture
def manifest(tmp_path: Path, data: Path) -> Callable[..., Path]:
    """The shipped manifest with a stand-in for its network, and the data set's with the tests' cases."""

    def write(name: str, folder: str, side: int) -> Path:
        document = yaml.safe_load((MANIFESTS / "models" / f"{name}.yaml").read_text("utf-8"))
        dataset = yaml.safe_load((MANIFESTS / "datasets" / f"{document['dataset']}.yaml").read_text("utf-8"))
        write_stand_in(tmp_path / "model.onnx", side, 1)
        document["model"] = {"weights": "trained", "files": ["model.onnx"]}
        document["dataset"] = "./data.yaml"
        dataset["options"] |= {"root": str(data / folder), "cases": CASES}
        del document["frameworks"]
        if side != 128:
            write_stand_in(tmp_path / "model.onnx", side)
            for options in (
                document["framework"]["options"],
                *(smaller(document["preprocess"]) or [dataset["options"]]),
            ):
                options["window"] = [side] * 3
            dataset["options"]["window"] = [side] * 3
        (tmp_path / "data.yaml").write_text(yaml.safe_dump(dataset), "utf-8")
        (tmp_path / "model.yaml").write_text(yaml.safe_dump(document), "utf-8")
        return tmp_path / "model.yaml"

    return write


def smaller(steps: list[Any]) -> list[dict[str, Any]]:
    """The parameters of steps that know of windows."""
    given = [parameters for step in steps if isinstance(step, Mapping) for parameters in step.values()]
    return [parameters for parameters in given if "window" in parameters]


@pytest.mark.parametrize(
    ("name", "folder"),
    [("mlperf-3d-unet", "kits19"), ("mlperf-3d-unet-preprocessed", "kits19-preprocessed")],
)
def test_whole_volumes_score_what_the_official_system_scores(
    manifest: Callable[..., Path], name: str, folder: str
) -> None:
    run = run_in_process(manifest(name, folder, 16), threads=1)
    found = run.score()
    assert {"mean": found.value, **found.details} == pytest.approx(OFFICIAL, abs=1e-4)
    assert [len(run.responses[index]) for index in range(3)] == [24 * 24 * 24, 16 * 24 * 32, 32 * 24 * 16]


def test_the_manifest_runs_through_loadgen(
    manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MLPerf's own windows; the stand-in reaches no target."""
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    path = manifest("mlperf-3d-unet", "kits19", 128)
    result = run_with_loadgen(path, tmp_path, mode="accuracy", count=2)
    assert result["status"] == "valid"
    assert result["framework"]["name"] == "onnxruntime+slide"
    assert (result["accuracy"]["n"], result["accuracy"]["passed"]) == (2, False)
    assert result["accuracy"]["details"].keys() == {"kidney", "tumor"}


def test_volumes_that_do_not_fit_end_the_run(manifest: Callable[..., Path]) -> None:
    path = manifest("mlperf-3d-unet", "kits19", 16)
    document = yaml.safe_load(path.read_text("utf-8"))
    document["preprocess"] = [step for step in document["preprocess"] if "volume.fit" not in step]
    path.write_text(yaml.safe_dump(document), "utf-8")
    with pytest.raises((RunError, UserError), match="do not cover a volume"):
        run_in_process(path)
