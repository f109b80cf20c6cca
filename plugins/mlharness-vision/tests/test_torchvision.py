"""The steps against torchvision's, bit for bit (extra ``origin``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mlharness_vision.image_folder import open_folder
from PIL import Image

from mlharness.providers import StepFunction

torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed (extra `origin`)")
functional = torchvision.transforms.functional

Make = Callable[..., StepFunction]
Pixels = npt.NDArray[Any]
PICTURES = sorted((Path(__file__).parent / "fixtures" / "imagenet" / "val").iterdir())
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def first(step: StepFunction, array: Pixels) -> Pixels:
    result = step((array,), {})
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem[-1])
@pytest.mark.parametrize(("size", "interpolation"), [(256, "bilinear"), (97, "bicubic"), (1, "nearest")])
def test_resize_by_the_short_side(make: Make, path: Path, size: int, interpolation: str) -> None:
    image = Image.open(path).convert("RGB")
    mode = torchvision.transforms.InterpolationMode(interpolation)
    found = first(make("image.resize", size=size, interpolation=interpolation), np.array(image))
    np.testing.assert_array_equal(found, np.array(functional.resize(image, size, mode)))


@pytest.mark.parametrize("height", range(1, 11))
def test_center_crop_rounds_halves_to_even(make: Make, height: int) -> None:
    """Heights and widths that leave every remainder from 0 to 9, down to an image of one pixel."""
    for width in range(1, 11):
        pixels = np.arange(height * width, dtype=np.uint8).reshape(height, width, 1)
        found = first(make("image.center-crop", size=1, rounding="half-even"), pixels)
        assert found[0, 0, 0] == np.array(functional.center_crop(Image.fromarray(pixels[:, :, 0]), [1, 1]))[0, 0]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem[-1])
def test_normalize_after_to_tensor(make: Make, path: Path) -> None:
    image = Image.open(path).convert("RGB")
    expected = functional.normalize(functional.to_tensor(image), MEAN, STD).numpy()
    normalized = first(make("image.normalize", divide=255, mean=MEAN, std=STD), np.array(image))
    np.testing.assert_array_equal(first(make("image.layout", to="CHW"), normalized), expected)


def test_normalize_of_a_single_pixel_of_every_value(make: Make) -> None:
    step = make("image.normalize", divide=255, mean=MEAN, std=STD)
    for value in range(256):
        pixels = np.full((1, 1, 3), value, np.uint8)
        expected = functional.normalize(functional.to_tensor(Image.fromarray(pixels)), MEAN, STD).numpy()
        np.testing.assert_array_equal(first(step, pixels), expected.transpose(1, 2, 0))


def test_a_folder_has_the_order_and_the_classes_of_image_folder(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.png", "a/x.jpg", "a/sub/y.bmp", "a/Z.PNG", "c/1.webp"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    (tmp_path / "c" / "notes.txt").write_text("no image", "ascii")
    expected = torchvision.datasets.ImageFolder(tmp_path).samples
    found = open_folder({"root": str(tmp_path)}, None, Path)
    assert sorted((str(item.path), item.label) for item in found.items) == sorted(expected)
    assert [item.label for item in found.items] == [label for _, label in expected]
