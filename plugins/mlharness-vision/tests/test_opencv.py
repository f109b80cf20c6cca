"""The steps with ``library: opencv`` against OpenCV used directly, on a photograph and on the smallest image."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mlharness.errors import UserError
from mlharness.providers import StepFunction

Make = Callable[..., StepFunction]
Pixels = npt.NDArray[Any]
PICTURE = Path(__file__).parent / "fixtures" / "imagenet" / "val" / "ILSVRC2012_val_00000002.JPEG"
GREY = PICTURE.with_name("ILSVRC2012_val_00000004.JPEG")
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
    "area": cv2.INTER_AREA,
}


def first(step: StepFunction, array: Pixels) -> Pixels:
    result = step((array,), {})
    return result[0] if isinstance(result, tuple) else result


@pytest.fixture
def photograph() -> Pixels:
    """uint8 [300, 388, 3]"""
    return np.array(Image.open(PICTURE))


@pytest.mark.parametrize("path", [PICTURE, GREY])
@pytest.mark.parametrize("mode", ["RGB", "BGR", "L"])
def test_decode_is_imreads(make: Make, path: Path, mode: str) -> None:
    found = first(make("image.decode", mode=mode, library="opencv"), np.fromfile(path, np.uint8))
    if mode == "L":
        np.testing.assert_array_equal(found, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[:, :, None])
        return
    read = cv2.imread(str(path))
    np.testing.assert_array_equal(found, read if mode == "BGR" else read[:, :, ::-1])
    assert found.flags.c_contiguous


def test_decode_turns_a_picture_as_its_camera_was_held(make: Make) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned to the right
    Image.new("RGB", (8, 4)).save(buffer, "JPEG", exif=exif)
    data = np.frombuffer(buffer.getvalue(), np.uint8)
    assert first(make("image.decode"), data).shape == (4, 8, 3)
    assert first(make("image.decode", library="opencv"), data).shape == (8, 4, 3)


@pytest.mark.parametrize("kept", [0, 5, 60, 15000, 25000])
def test_decode_refuses_a_part_of_a_picture(make: Make, kept: int) -> None:
    data = np.fromfile(PICTURE, np.uint8)[:kept]
    with pytest.raises(UserError, match=f"{kept} bytes are not an image"):
        first(make("image.decode", library="opencv"), data)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("shape", [(120, 150), (500, 431), (299, 388), (1, 1)])
@pytest.mark.parametrize("interpolation", list(INTERPOLATIONS))
def test_resize_is_opencvs(
    make: Make, photograph: Pixels, interpolation: str, shape: tuple[int, int], dtype: str
) -> None:
    pixels = photograph.astype(dtype)
    step = make("image.resize", shape=list(shape), interpolation=interpolation, library="opencv")
    expected = cv2.resize(pixels, shape[::-1], interpolation=INTERPOLATIONS[interpolation])
    found = first(step, pixels)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("interpolation", list(INTERPOLATIONS))
def test_resize_of_a_single_pixel(make: Make, interpolation: str) -> None:
    pixels = np.array([[[9, 80, 250]]], np.uint8)
    found = first(make("image.resize", size=3, interpolation=interpolation, library="opencv"), pixels)
    np.testing.assert_array_equal(found, np.broadcast_to(pixels, (3, 3, 3)))


def test_area_is_the_mean_of_what_a_pixel_covers(make: Make, photograph: Pixels) -> None:
    found = first(make("image.resize", shape=[100, 97], interpolation="area", library="opencv"), photograph)
    means = photograph.reshape(100, 3, 97, 4, 3).astype(np.float64).mean(axis=(1, 3))
    assert np.abs(found - means).max() <= 0.5 + 1e-6


def test_resize_keeps_one_channel(make: Make, photograph: Pixels) -> None:
    grey = np.ascontiguousarray(photograph[:, :, :1])
    found = first(make("image.resize", size=150, library="opencv"), grey)
    np.testing.assert_array_equal(found[:, :, 0], cv2.resize(grey[:, :, 0], (194, 150)))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"interpolation": "area"}, "pillow has no interpolation 'area'\nSay library: opencv"),
        ({"interpolation": "box", "library": "opencv"}, "opencv has no interpolation 'box'\nSay library: pillow"),
        ({"library": "cv2"}, "must be one of pillow, opencv"),
    ],
)
def test_a_library_is_held_to_its_filters(make: Make, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make("image.resize", size=4, **parameters)


def test_resize_refuses_other_dtypes_and_nothing(make: Make, photograph: Pixels) -> None:
    step = make("image.resize", size=4, library="opencv")
    for wrong in (photograph.astype(np.int64), photograph[:0], photograph[:, :, :2]):
        with pytest.raises(UserError, match=r"needs uint8 or float32 \[height, width, 1 or 3\]"):
            first(step, wrong)


@pytest.mark.parametrize(("name", "parameters"), [("image.decode", {}), ("image.resize", {"size": 4})])
def test_that_opencv_is_missing_is_said(
    make: Make, name: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=rf"step '{name}' .* needs OpenCV") as caught:
        make(name, library="opencv", **parameters)
    assert "mlharness-vision[opencv]" in caught.value.remedy
