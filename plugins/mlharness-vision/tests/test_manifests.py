"""The manifests that the plugin ships: complete, in step with the files they name, and right about the data."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mlharness_vision import plugin
from mlharness_vision.images import open_images
from PIL import Image

from mlharness.providers import StepFunction

MANIFESTS = Path(plugin.__file__).parent / "manifests"
MODELS = ("efficientnet-lite0", "digits-cnn")
DATASETS = ("photos", "digits")


def read(kind: str, name: str) -> dict[str, Any]:
    document = yaml.safe_load((MANIFESTS / kind / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(("kind", "name"), [*(("models", m) for m in MODELS), *(("datasets", d) for d in DATASETS)])
def test_a_manifest_says_what_it_is(kind: str, name: str) -> None:
    manifest = read(kind, name)
    assert (manifest["kind"], manifest["name"]) == (kind.removesuffix("s"), name)
    assert all(isinstance(manifest[key], str) and manifest[key] for key in ("version", "description", "license"))
    assert all(reference.startswith("https://") for reference in manifest["references"])


@pytest.mark.parametrize("name", MODELS)
def test_the_model_file_is_the_one_that_the_manifest_means(name: str, locate: Callable[[str], Path]) -> None:
    (file,) = read("models", name)["model"]["files"]
    path = locate(file["source"])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]


@pytest.mark.parametrize(("name", "limit"), [("efficientnet-lite0", 10_000_000), ("digits-cnn", 100_000)])
def test_the_model_file_is_small(name: str, limit: int, locate: Callable[[str], Path]) -> None:
    assert locate(f"pkg://mlharness_vision/models/{name}.onnx").stat().st_size <= limit


@pytest.mark.parametrize("name", MODELS)
def test_a_notice_and_a_data_set_belong_to_every_model(name: str) -> None:
    assert f"{name}.onnx" in (MANIFESTS.parent / "models" / "NOTICE").read_text(encoding="utf-8")
    assert read("models", name)["dataset"] in DATASETS


def test_image_steps_of_the_manifest_can_be_made(make: Callable[..., StepFunction]) -> None:
    for step in read("models", "efficientnet-lite0")["preprocess"]:
        ((name, parameters),) = step.items()
        assert callable(make(name, **parameters))


def test_the_photographs_are_there_and_labelled(locate: Callable[[str], Path]) -> None:
    options = read("datasets", "photos")["options"]
    dataset = open_images(options, None, locate)
    dataset.check()
    assert [dataset.label(index) for index in range(len(dataset))] == [872, 281, 967, 698]
    assert {item.file.split("/")[2] for item in dataset.items} == {"skimage", "sklearn"}
    for item in dataset.items:
        with Image.open(item.path) as image:
            assert min(image.size) >= 256, item.file


def test_the_held_out_digits_are_a_part_of_the_table(locate: Callable[[str], Path]) -> None:
    options = read("datasets", "digits")["options"]
    with gzip.open(locate(options["file"]), "rt", encoding="ascii") as lines:
        table = np.loadtxt(lines, delimiter=",")
    start, stop = options["rows"]
    held_out = table[start:stop]
    assert len(held_out) >= 500
    assert stop == len(table)
    assert held_out.shape[1] - 1 == np.prod(options["shape"])
    assert set(held_out[:, options["label_column"]]) == set(range(10))
