"""What of a manifest can be drafted from a model's tensors."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.authoring import draft
from mlharness.authoring.draft import Wanted
from mlharness.errors import UserError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.library import ManifestLibrary
from mlharness.plugins import build_manager
from mlharness.providers import TensorSpec

IMAGES = TensorSpec("images", "float32", (None, 3, 224, 224))
IDS = TensorSpec("ids", "int64", (None, None))
LOGITS = TensorSpec("logits", "float32", (None, 10))


def wanted(**changes: object) -> Wanted:
    return Wanted(("mine.onnx",), "onnxruntime", "mine", Path("mine.yaml"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("models/My Net.v2.onnx", "my-net"),
        ("torchvision://resnet18?weights=none", "resnet18"),
        ("saved/", "saved"),
        ("Net_1-symbol.json", "net_1-symbol"),
    ],
)
def test_a_name_from_a_file(file: str, name: str) -> None:
    assert draft.name_from(file) == name


def test_a_file_that_gives_no_name() -> None:
    with pytest.raises(UserError, match="gives the model no name") as raised:
        draft.name_from("___.onnx")
    assert "--name" in raised.value.remedy


def test_frameworks_by_the_names_of_files() -> None:
    plugins = build_manager()
    assert draft.find_frameworks(("Model.ONNX",), plugins) == ["onnxruntime"]
    assert draft.find_frameworks(("model.xyz",), plugins) == []


def test_sizes_of_free_axes() -> None:
    assert draft.sample_shape(IMAGES, {}) == (3, 224, 224)
    assert draft.sample_shape(IDS, {}) == (1,)
    assert draft.sample_shape(IDS, {"ids": (128,)}) == (128,)


@pytest.mark.parametrize("shape", [(3, 224), (1, 224, 224)])
def test_sizes_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"--shape images=.*the model has \[3, 224, 224\]"):
        draft.sample_shape(IMAGES, {"images": shape})


def test_a_shape_of_no_input_is_a_misspelling() -> None:
    with pytest.raises(UserError, match="no such input") as raised:
        draft.check_shapes({"image": (1,)}, [IMAGES])
    assert "'images'" in raised.value.remedy


def test_documents_are_manifests() -> None:
    model = {**draft.identity(wanted()), "inputs": draft.to_tensors([IMAGES]), "outputs": draft.to_tensors([LOGITS])}
    read = draft.parse(model, Path("mine.yaml"))
    assert isinstance(read, ModelManifest)
    assert (read.inputs, read.outputs) == ((IMAGES,), (LOGITS,))
    data = draft.parse(draft.random_data("mine-data", wanted(), [IMAGES, IDS]), Path("mine-data.yaml"))
    assert isinstance(data, DataSetManifest)
    assert [array["shape"] for array in data.options["arrays"]] == [[3, 224, 224], [1]]


def test_scores_of_classes() -> None:
    assert draft.is_class([LOGITS])
    assert not draft.is_class([TensorSpec("boxes", "float32", (None, 10, 4))])
    assert not draft.is_class([TensorSpec("ids", "int64", (None, 10))])


def test_another_model_s_processing_without_its_target() -> None:
    taken = draft.taken_over(ManifestLibrary(build_manager().catalog).model("digits-cnn"))
    assert taken["dataset"] == "digits"
    assert taken["preprocess"] == [{"tensor.scale": {"factor": 0.0625}}, {"tensor.reshape": {"shape": [1, 8, 8]}}]
    assert taken["metric"] == {"name": "top1"}


def test_models_with_the_same_inputs() -> None:
    author = draft.Author(build_manager(), None)  # type: ignore[arg-type]  # nothing is run
    similar = author.similar([IMAGES], "onnxruntime")
    assert similar[0] == "efficientnet-lite0"  # trained, and for this framework
    assert {"resnet50", "alexnet"} <= set(similar)
    assert "digits-cnn" not in similar
