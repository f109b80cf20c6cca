"""MLPerf's classifiers: their manifests, their preprocessing, and runs of stand-ins with the same interfaces."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from mlharness_vision import plugin
from stand_ins import FROZEN, Weights, nearest, random_weights, save_onnx

from mlharness.errors import UserError
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.provided import check_file
from mlharness.plugins import build_manager
from mlharness.providers import Arrays, StepFunction

MANIFESTS = Path(plugin.__file__).parent / "manifests" / "models"
FIXTURES = Path(__file__).parent / "fixtures"
PICTURES = sorted((FIXTURES / "imagenet" / "val").iterdir())
LABELS = (281, 967, 698, 872)
REFERENCE = json.loads((FIXTURES / "mlperf_preprocessing.json").read_text("ascii"))
"""What the reference implementation makes of the pictures; fixtures/README.md says how it was obtained."""

RESNET = ("mlperf-resnet50", "onnxruntime")
RESNET_TORCH = ("mlperf-resnet50", "torch")
RESNET_TF = ("mlperf-resnet50", "tensorflow")
MOBILENET = ("mlperf-mobilenet", "onnxruntime")
MOBILENET_TF = ("mlperf-mobilenet", "tensorflow")
VARIANTS = {
    RESNET: "pre_process_vgg",
    RESNET_TF: "pre_process_vgg",
    RESNET_TORCH: "pre_process_imagenet_pytorch",
    MOBILENET: "pre_process_mobilenet",
    MOBILENET_TF: "pre_process_mobilenet",
}
"""Each variant, and the reference implementation's preprocessing for it, as main.py's profiles pair them."""

Variant = tuple[str, str]
Make = Callable[..., StepFunction]
Bench = Callable[..., dict[str, Any]]


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text("utf-8"))
    return document


def part(variant: Variant, key: str) -> Any:
    """What a manifest says under a key for one framework."""
    manifest = read(variant[0])
    return manifest["frameworks"].get(variant[1], {}).get(key, manifest[key])


@pytest.fixture
def preprocess(make: Make) -> Callable[[Variant, Path], npt.NDArray[np.float32]]:
    """A picture as a variant's manifest preprocesses it."""

    def run(variant: Variant, path: Path) -> npt.NDArray[np.float32]:
        arrays: Arrays = (np.fromfile(path, np.uint8),)
        for step in part(variant, "preprocess"):
            ((name, parameters),) = step.items()
            result = make(name, **parameters)(arrays, {})
            arrays = result if isinstance(result, tuple) else (result,)
        return arrays[0]

    return run


@pytest.mark.parametrize("name", ["mlperf-resnet50", "mlperf-mobilenet"])
def test_the_manifest_has_no_problem(name: str) -> None:
    assert check_file(MANIFESTS / f"{name}.yaml", ManifestLibrary(build_manager().catalog)) == []


@pytest.mark.parametrize(("name", "reference", "factor"), [(RESNET[0], 76.46, 0.99), (MOBILENET[0], 71.68, 0.98)])
def test_the_target_is_a_share_of_the_references_accuracy(name: str, reference: float, factor: float) -> None:
    assert read(name)["metric"]["target"] == pytest.approx(reference * factor, abs=1e-9)


@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
def test_every_file_is_fetched_by_https_and_has_a_checksum(variant: Variant) -> None:
    (file,) = part(variant, "model")["files"]
    assert file["source"].startswith("https://")
    assert {"sha256", "md5"} & set(file)
    assert part(variant, "model")["weights"] == "trained"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem[-1])
@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
def test_preprocessing_is_the_references(
    preprocess: Callable[[Variant, Path], npt.NDArray[np.float32]], variant: Variant, path: Path
) -> None:
    found = preprocess(variant, path)
    assert found.dtype == np.float32
    if variant[1] == "tensorflow":
        assert found.shape == (224, 224, 3)
        found = found.transpose(2, 0, 1)
    assert found.shape == (3, 224, 224)
    expected = REFERENCE[VARIANTS[variant]][path.name]
    places = np.linspace(0, 1, found.size).reshape(found.shape)
    assert found.mean(dtype=np.float64) == pytest.approx(expected["mean"], abs=1e-9)
    assert (found.astype(np.float64) * places).mean() == pytest.approx(expected["moment"], abs=1e-9)
    for channel, row, column, value in expected["points"]:
        assert found[channel, row, column] == np.float32(value)


def stand_in(folder: Path, variant: Variant, weights: Weights) -> Path:
    """A model file of the variant's interface."""
    if variant == RESNET_TORCH:
        return save_resnet(folder / "resnet50.pth")
    names = [spec["name"] for spec in part(variant, "outputs")]
    (given,) = (spec["name"] for spec in part(variant, "inputs"))
    if variant[1] == "onnxruntime":
        return save_onnx(folder / "stand-in.onnx", weights, given, tuple(names))
    np.savez(folder / "weights.npz", weights=weights[0], bias=weights[1])
    path = folder / "stand-in.pb"
    words = [str(folder / "weights.npz"), str(path), given.partition(":")[0], names[0].partition(":")[0]]
    subprocess.run([sys.executable, "-c", FROZEN, *words], check=True, capture_output=True)
    return path


def save_resnet(path: Path) -> Path:
    """Random weights of torchvision's ResNet-50, as old as the official file: no archive, and no counts of batches."""
    import torch
    from torchvision.models import resnet50

    torch.manual_seed(50)
    state = {name: array for name, array in resnet50().state_dict().items() if "num_batches" not in name}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def changed(folder: Path, variant: Variant, file: Path, weights: str) -> str:
    """A copy of the manifest in which the variant has another file."""
    name, framework = variant
    manifest = read(name)
    owner = manifest if manifest["framework"]["name"] == framework else manifest["frameworks"][framework]
    owner["model"] = {"weights": weights, "files": [str(file)]}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(manifest), "utf-8")
    return str(path)


ONNX = needs("mlharness_onnxruntime")
TORCH = needs("mlharness_torch", "torchvision")
TENSORFLOW = needs("mlharness_tensorflow", "tensorflow")


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Path:
    """DATA_DIR is the fixture."""
    monkeypatch.setenv("DATA_DIR", str(FIXTURES / "imagenet"))
    return FIXTURES / "imagenet"


@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
def test_random_weights_have_no_accuracy(variant: Variant, images: Path, tmp_path: Path, mlh_bench: Bench) -> None:
    file = tmp_path / "unread"
    file.touch()
    with pytest.raises(UserError, match="random weights"):
        mlh_bench(changed(tmp_path, variant, file, "random"), framework=variant[1], mode="accuracy", trust=True)


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(RESNET, marks=ONNX, id="resnet50-onnxruntime"),
        pytest.param(MOBILENET, marks=ONNX, id="mobilenet-onnxruntime"),
        pytest.param(RESNET_TORCH, marks=TORCH, id="resnet50-torch"),
    ],
)
def test_random_weights_run_validly(variant: Variant, images: Path, tmp_path: Path, mlh_bench: Bench) -> None:
    path = changed(tmp_path, variant, stand_in(tmp_path, variant, random_weights()), "random")
    chosen = {"framework": variant[1], "scenario": "Offline", "duration_s": 0.5, "trust": variant == RESNET_TORCH}
    # the one real network among them is slow, and many times slower where two threads wait for a busy core
    result = mlh_bench(path, threads=1, instances=1, **chosen)
    assert result["status"] == "valid", result["invalid_reasons"]
    assert result["errors"] == 0
    assert result["dataset"]["name"] == "imagenet"


@ONNX
def test_a_missing_picture_is_named_before_anything_is_measured(
    images: Path, tmp_path: Path, mlh_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "val_map.txt").write_text(f"{PICTURES[0]} 281\nval/nowhere.JPEG 3\n", "ascii")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    path = changed(tmp_path, MOBILENET, stand_in(tmp_path, MOBILENET, random_weights()), "random")
    with pytest.raises(UserError, match=r"val_map.txt:2: image 'val/nowhere.JPEG' cannot be read"):
        mlh_bench(path)


@pytest.fixture
def ninety_seven(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The four pictures again and again, 97 lines, of which each fifth gives a wrong class; DATA_DIR is there."""
    root = tmp_path / "imagenet"
    root.mkdir()
    (root / "val").symlink_to(images / "val")
    rows = [(f"val/{PICTURES[i % 4].name}", LABELS[i % 4] if i % 5 else LABELS[(i + 1) % 4]) for i in range(97)]
    (root / "val_map.txt").write_text("".join(f"{path} {label}\n" for path, label in rows), "ascii")
    monkeypatch.setenv("DATA_DIR", str(root))
    return root


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(RESNET, marks=ONNX, id="resnet50-onnxruntime"),
        pytest.param(MOBILENET, marks=ONNX, id="mobilenet-onnxruntime"),
        pytest.param(RESNET_TF, marks=TENSORFLOW, id="resnet50-tensorflow"),
        pytest.param(MOBILENET_TF, marks=TENSORFLOW, id="mobilenet-tensorflow"),
    ],
)
def test_accuracy_is_what_the_official_script_prints(
    variant: Variant,
    ninety_seven: Path,
    tmp_path: Path,
    mlh_bench: Bench,
    preprocess: Callable[[Variant, Path], npt.NDArray[np.float32]],
) -> None:
    """The stand-in knows the pictures by the means of their channels, so only the 20 wrong lines are missed.

    ``tools/accuracy-imagenet.py`` of mlcommons/inference (commit b66003e) was run on the accuracy log of such a run,
    with each of these stand-ins, and printed the line that is asserted here.
    """
    axes = (0, 1) if variant[1] == "tensorflow" else (1, 2)
    means = {
        label + 1: preprocess(variant, path).mean(axis=axes, dtype=np.float64)
        for path, label in zip(PICTURES, LABELS, strict=True)
    }
    path = changed(tmp_path, variant, stand_in(tmp_path, variant, nearest(means)), "trained")
    result = mlh_bench(path, framework=variant[1], mode="both", scenario="Offline", duration_s=0.5)
    assert result["status"] == "valid", result["invalid_reasons"]
    accuracy = result["accuracy"]
    right = round(accuracy["value"] * accuracy["n"] / 100)
    printed = f"accuracy={accuracy['value']:.3f}%, good={right}, total={accuracy['n']}"
    assert printed == "accuracy=79.381%, good=77, total=97"
    assert accuracy["passed"] is True


@ONNX
def test_a_real_network_on_the_official_layout(images: Path, mlh_bench: Bench) -> None:
    """The official script printed ``accuracy=75.000%, good=3, total=4`` for the accuracy log of this run."""
    result = mlh_bench("efficientnet-lite0", dataset="imagenet", mode="accuracy")
    assert result["status"] == "valid", result["invalid_reasons"]
    assert (f"{result['accuracy']['value']:.3f}", result["accuracy"]["n"]) == ("75.000", 4)
