"""MLPerf's detectors: their manifests, their preprocessing, and runs of stand-ins with the same graph interfaces."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from mlharness_vision import plugin
from mlharness_vision.detection.datasets import open_coco, open_openimages
from onnx import TensorProto, helper, numpy_helper

from mlharness.errors import UserError
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.provided import check_file
from mlharness.plugins import build_manager
from mlharness.providers import Array, Arrays, StepFunction

MANIFESTS = Path(plugin.__file__).parent / "manifests"
FIXTURES = Path(__file__).parent / "fixtures"
REFERENCE = json.loads((FIXTURES / "mlperf_detection_preprocessing.json").read_text("utf-8"))
"""What the reference implementation makes of the pictures; fixtures/README.md says how it was obtained."""
NAMES = ("mlperf-ssd-mobilenet", "mlperf-ssd-resnet34", "mlperf-retinanet")
FUNCTIONS = dict(
    zip(
        NAMES,
        ("pre_process_coco_mobilenet", "pre_process_coco_resnet34", "pre_process_openimages_retinanet"),
        strict=True,
    )
)
PICTURES = {
    "coco-2017": FIXTURES / "coco" / "val2017",
    "openimages-mlperf": FIXTURES / "openimages" / "validation" / "data",
}

Make = Callable[..., StepFunction]
Bench = Callable[..., dict[str, Any]]


def read(name: str, kind: str = "models") -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((MANIFESTS / kind / f"{name}.yaml").read_text("utf-8"))
    return document


@pytest.mark.parametrize("path", [*(f"models/{name}" for name in NAMES), *(f"datasets/{name}" for name in PICTURES)])
def test_the_manifest_has_no_problem(path: str) -> None:
    assert check_file(MANIFESTS / f"{path}.yaml", ManifestLibrary(build_manager().catalog)) == []


@pytest.mark.parametrize(("name", "reference"), [(NAMES[0], 22.0), (NAMES[1], 20.0), (NAMES[2], 37.55)])
def test_the_target_is_a_share_of_the_references_precision(name: str, reference: float) -> None:
    assert read(name)["metric"]["target"] == pytest.approx(reference * 0.99, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "model", "latency", "samples"),
    [(NAMES[0], "ssd-mobilenet", 10, 256), (NAMES[1], "ssd-resnet34", 100, 64), (NAMES[2], "retinanet", 100, 64)],
)
def test_mlperfs_rules_are_those_of_the_suite(name: str, model: str, latency: int, samples: int) -> None:
    assert read(name)["mlperf"] == {
        "model": model, "server_target_latency_ms": latency, "performance_sample_count": samples,
    }  # fmt: skip


def test_a_file_is_fetched_only_with_its_checksum() -> None:
    for name in NAMES:
        (file,) = read(name)["model"]["files"]
        fetched = isinstance(file, dict)
        assert fetched is (name == "mlperf-retinanet")
        assert not fetched or (file["source"].startswith("https://") and len(file["md5"]) == 32)


@pytest.mark.parametrize("name", NAMES)
def test_preprocessing_is_the_references(make: Make, name: str) -> None:
    manifest = read(name)
    steps = [make_step(make, step) for step in manifest["preprocess"]]
    (spec,) = manifest["inputs"]
    for picture, told in REFERENCE[FUNCTIONS[name]].items():
        arrays: Arrays = (np.fromfile(PICTURES[manifest["dataset"]] / picture, np.uint8),)
        for step in steps:
            result = step(arrays, {})
            arrays = result if isinstance(result, tuple) else (result,)
        (found,) = arrays
        assert (str(found.dtype), list(found.shape)) == (told["dtype"], told["shape"])
        assert (str(found.dtype), len(found.shape)) == (spec["dtype"], len(spec["shape"]) - 1)
        flat = found.astype(np.float64).ravel()
        assert flat.mean() == pytest.approx(told["mean"], abs=1e-7)
        assert (flat * np.linspace(0, 1, flat.size)).mean() == pytest.approx(told["moment"], abs=1e-7)
        for *place, value in told["points"]:
            assert float(found[tuple(place)]) == pytest.approx(value, rel=1e-6)


def make_step(make: Make, step: dict[str, Any]) -> StepFunction:
    ((name, parameters),) = step.items()
    if name.startswith("tensor."):
        provider = build_manager().catalog.steps.find(name).provider
        return provider.make(**parameters)
    return make(name, **parameters)


def answers(name: str) -> tuple[Array, Array, Array]:
    """What a stand-in finds in every picture: the things of the first three, best first.

    Corners as the network gives them, float32 [k, 4]; scores, float32 [k]; classes, int64 [k].
    """
    retinanet = name == "mlperf-retinanet"
    opener, kind = (open_openimages, "openimages") if retinanet else (open_coco, "coco")
    dataset = opener({"root": str(FIXTURES / kind)}, 3, Path)
    boxes, classes = [], []
    for truth in map(dataset.label, range(3)):
        for one in truth["annotations"]:
            left, top, width, height = one["bbox"]
            size = np.array([truth["width"], truth["height"]] * 2)
            boxes.append(np.array([left, top, left + width, top + height]) / size)
            place = truth["categories"].index(one["category_id"]) + 1
            classes.append(place if name == "mlperf-ssd-resnet34" else one["category_id"])
    corners = np.array(boxes)[:, [1, 0, 3, 2]] if name == "mlperf-ssd-mobilenet" else np.array(boxes)
    scores = np.linspace(0.9, 0.03 if retinanet else 0.05, len(boxes))  # brightness decides of the last one
    return (corners * (800 if retinanet else 1)).astype(np.float32), scores.astype(np.float32), np.array(classes)


def save_stand_in(path: Path, name: str) -> Path:
    """A graph with the interface of the official one.

    Brighter pictures have higher scores, and fewer detections where the network itself says how many there are.
    """
    manifest = read(name)
    boxes, scores, classes = answers(name)
    (spec,) = manifest["inputs"]
    lone = name == "mlperf-retinanet"  # no batch axis
    axes = [0, 1, 2, 3] if lone else [1, 2, 3]
    known = {"count": np.float32(len(scores)), "boxes": boxes, "scores": scores, "classes": classes}
    constants = {
        "scale": np.float32(0.2 / 255 if spec["dtype"] == "uint8" else 0.05), "nothing": np.float32(0),
        "one": np.float32(1), "shorter": np.float32(-160), "first": np.array([0]), "fewer": np.float32(-30),
        **{f"known {kind}": array if lone or kind == "count" else array[None] for kind, array in known.items()},
    }  # fmt: skip
    nodes = [
        helper.make_node("Cast", [spec["name"]], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["brightness"]),
    ]
    if lone:
        nodes += [
            helper.make_node("Mul", ["brightness", "shorter"], ["share"]),
            helper.make_node("Floor", ["share"], ["less"]),
            helper.make_node("Add", ["less", "known count"], ["as many"]),
            helper.make_node("Cast", ["as many"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Unsqueeze", ["whole"], ["rows"], axes=[0]),
        ]
    for number, output in enumerate(manifest["outputs"]):
        nodes += given_by(output, number, lone)
    graph = helper.make_graph(
        nodes, "stand-in", [value_info(spec)], [value_info(output) for output in manifest["outputs"]],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def given_by(output: dict[str, Any], number: int, lone: bool) -> Sequence[Any]:
    """The nodes of one output: what is known, for each picture; scores rise and the count falls with the brightness."""
    kind = KINDS[output["name"]]
    factor = {"scores": "one", "count": "fewer"}.get(kind, "nothing")
    axes = [] if lone else list(range(1, len(output["shape"])))
    widened = {"axes": axes} if axes else {}
    return (
        helper.make_node("Mul", ["brightness", factor], [f"part {number}"]),
        helper.make_node("Floor" if kind == "count" else "Identity", [f"part {number}"], [f"added {number}"]),
        helper.make_node("Unsqueeze" if axes else "Identity", [f"added {number}"], [f"wide {number}"], **widened),
        helper.make_node("Cast", [f"wide {number}"], [f"cast {number}"], to=onnx_type(output)),
        helper.make_node("Cast", [f"known {kind}"], [f"typed {number}"], to=onnx_type(output)),
        helper.make_node("Add", [f"cast {number}", f"typed {number}"], [f"all {number}"]),
        helper.make_node("Slice", [f"all {number}", "first", "rows"], [output["name"]])
        if lone
        else helper.make_node("Identity", [f"all {number}"], [output["name"]]),
    )


KINDS = {
    "num_detections:0": "count", "detection_boxes:0": "boxes", "detection_scores:0": "scores",
    "detection_classes:0": "classes", "bboxes": "boxes", "boxes": "boxes", "scores": "scores", "labels": "classes",
}  # fmt: skip


def onnx_type(spec: dict[str, Any]) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(spec["dtype"])))


def value_info(spec: dict[str, Any]) -> Any:
    return helper.make_tensor_value_info(spec["name"], onnx_type(spec), spec["shape"])


def changed(folder: Path, name: str) -> tuple[str, str]:
    """A copy of the manifest with a stand-in for its file, and a data set of the same kind over the fixture."""
    manifest = read(name)
    manifest["model"]["files"] = [str(save_stand_in(folder / "stand-in.onnx", name))]
    dataset = read(manifest["dataset"], "datasets")
    dataset["options"] = {}
    paths = folder / f"{name}.yaml", folder / "dataset.yaml"
    for path, document in zip(paths, (manifest, dataset), strict=True):
        path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    return str(paths[0]), str(paths[1])


# What accuracy-coco.py and accuracy-openimages.py (see test_detection_metrics.py) print for the accuracy log of each of
# these runs; that of ssd-resnet34 with --use-inv-map.
PRINTED = {
    "mlperf-ssd-mobilenet": "mAP=5.526%",
    "mlperf-ssd-resnet34": "mAP=7.106%",
    "mlperf-retinanet": "mAP=58.746%",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_stand_in_runs_validly_and_is_scored_as_by_the_official_script(
    name: str, tmp_path: Path, mlh_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "openimages" if name == "mlperf-retinanet" else "coco"
    monkeypatch.setenv("DATA_DIR", str(FIXTURES / kind))
    path, dataset = changed(tmp_path, name)
    batched = {"scenario": "Offline", "batch_size": 4} if name == "mlperf-ssd-mobilenet" else {}
    result = mlh_bench(path, dataset=dataset, mode="both", duration_s=0.5, instances=1, threads=1, **batched)
    assert result["status"] == "valid", result["invalid_reasons"]
    assert result["errors"] == 0
    (log,) = (tmp_path / "runs").glob("*/accuracy/mlperf_log_accuracy.json")
    sizes = {len(entry["data"]) for entry in json.loads(log.read_bytes())}
    assert len(sizes) > 1, "pictures are to differ in how much is found"
    accuracy = result["accuracy"]
    assert f"mAP={accuracy['value']:.3f}%" == PRINTED[name]
    assert accuracy["passed"] is (name == "mlperf-retinanet")
    assert accuracy["n"] == len(list(PICTURES[read(name)["dataset"]].iterdir()))
    assert len(accuracy["details"]) == 12


def test_a_missing_picture_is_named_before_anything_is_measured(
    tmp_path: Path, mlh_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(FIXTURES / "coco", tmp_path / "coco"))
    (root / "val2017" / "000000403385.jpg").unlink()
    monkeypatch.setenv("DATA_DIR", str(root))
    path, dataset = changed(tmp_path, "mlperf-ssd-mobilenet")
    with pytest.raises(UserError, match=r"instances_val2017\.json: image '000000403385\.jpg' cannot be read"):
        mlh_bench(path, dataset=dataset)


def test_the_official_data_set_is_not_mistaken_for_a_small_one(
    tmp_path: Path, mlh_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(FIXTURES / "coco"))
    path, _ = changed(tmp_path, "mlperf-ssd-mobilenet")
    with pytest.raises(UserError, match="lists 10 images, and images is 5000"):
        mlh_bench(path)
