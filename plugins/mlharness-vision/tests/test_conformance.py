"""The steps ``image.*`` and the data-set kind ``images`` hold to the contract."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mlharness.providers import Array, Arrays
from mlharness.testing import DataSetConformance, StepConformance


def pixels() -> Array:
    """uint8 [12, 17, 3]: odd and even sides."""
    return np.random.default_rng(4).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def encoded() -> Array:
    """The same as the bytes of a PNG file, uint8 [bytes]."""
    buffer = io.BytesIO()
    Image.fromarray(pixels()).save(buffer, "PNG")
    return np.frombuffer(buffer.getvalue(), np.uint8)


class TestDecode(StepConformance):
    step = "image.decode"
    gives = (("uint8", (12, 17, 3)),)
    bad_parameters = ({"mode": "CMYK"},)

    def make_arrays(self) -> Arrays:
        return (encoded(),)

    def other_arrays(self) -> Arrays:
        buffer = io.BytesIO()
        Image.fromarray(pixels()[::-1]).save(buffer, "PNG")
        return (np.frombuffer(buffer.getvalue(), np.uint8),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(), (encoded()[:60],), (np.zeros(100, np.uint8),)]


class TestDecodeByOpenCV(TestDecode):
    parameters: Mapping[str, Any] = {"library": "opencv"}


class OnPixels(StepConformance):
    """A step on a decoded image."""

    def make_arrays(self) -> Arrays:
        return (pixels(),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(), (np.zeros(5, np.uint8),)]


class TestResize(OnPixels):
    step = "image.resize"
    parameters: Mapping[str, Any] = {"shape": [6, 8]}
    gives = (("uint8", (6, 8, 3)),)
    bad_parameters = ({}, {"size": 0}, {"size": 4, "shape": [4, 4]}, {"size": 4, "interpolation": "best"})


class TestResizeByOpenCV(OnPixels):
    step = "image.resize"
    parameters: Mapping[str, Any] = {"size": 8, "interpolation": "area", "library": "opencv"}
    gives = (("uint8", (8, 11, 3)),)
    bad_parameters = ({"size": 0, "library": "opencv"}, {"size": 4, "interpolation": "box", "library": "opencv"})


class TestCenterCrop(OnPixels):
    step = "image.center-crop"
    parameters: Mapping[str, Any] = {"size": 10}
    gives = (("uint8", (10, 10, 3)),)
    bad_parameters = ({}, {"size": -1})

    def bad_arrays(self) -> Sequence[Arrays]:
        return [*super().bad_arrays(), (pixels()[:9],)]


class TestNormalize(OnPixels):
    step = "image.normalize"
    parameters: Mapping[str, Any] = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.3], "scale": 1 / 255}
    gives = (("float32", (12, 17, 3)),)
    bad_parameters = ({"std": [0]}, {"mean": []})


class TestLayout(OnPixels):
    step = "image.layout"
    parameters: Mapping[str, Any] = {"to": "CHW"}
    gives = (("uint8", (3, 12, 17)),)
    bad_parameters = ({}, {"to": "CWH"})


class TestClass(StepConformance):
    step = "image.class"
    parameters: Mapping[str, Any] = {"offset": -1}
    gives = (("float32", (4, 1)),)
    bad_parameters = ({"offset": 0.5},)

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(6).random((4, 7), np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(), (np.zeros((4, 7, 2), np.float32),)]


class TestImages(DataSetConformance):
    dataset = "images"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        for number in range(self.count):
            Image.fromarray(pixels() // (number + 1)).save(folder / f"{number}.png")
        return {"items": [{"file": f"{number}.png", "label": number} for number in range(self.count)]}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "words.png").write_text("no image", "utf-8")
        items: tuple[list[dict[str, Any]], ...] = (
            [],
            [{"file": "missing.png", "label": 0}],
            [{"file": "words.png", "label": 0}],
            [{"label": 0}],
        )
        return [{"items": item} for item in items]


class TestImageFolder(DataSetConformance):
    dataset = "image-folder"
    count = 4

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        for number in range(self.count):
            path = folder / "good" / f"class{number // 2}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels() // (number + 1)).save(path)
        return {"root": str(folder / "good")}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "empty").mkdir()
        (folder / "words" / "a").mkdir(parents=True)
        (folder / "words" / "a" / "words.png").write_text("no image", "utf-8")
        return [
            {"root": str(folder / "nowhere")},
            {"root": str(folder / "empty")},
            {"root": str(folder / "words")},
            {**self.make_options(folder), "classes": ["class0", "class7"]},
            {**self.make_options(folder), "extensions": []},
        ]


class TestImageNet(DataSetConformance):
    dataset = "imagenet"
    count = 4

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(Path(__file__).parent / "fixtures" / "imagenet")}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        return [{"root": str(folder)}, {**self.make_options(folder), "list": "val.txt"}]
