"""The image steps against Pillow used directly, and against NumPy."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mlharness.errors import UserError
from mlharness.providers import StepFunction

Make = Callable[..., StepFunction]
Pixels = npt.NDArray[Any]


def first(step: StepFunction, *arrays: Pixels) -> Pixels:
    result = step(arrays, {})
    return result[0] if isinstance(result, tuple) else result


def encoded(image: Image.Image, kind: str = "PNG") -> Pixels:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_decode_gives_what_pillow_gives(make: Make, pixels: Pixels, kind: str) -> None:
    data = encoded(Image.fromarray(pixels), kind)
    with Image.open(io.BytesIO(data.tobytes())) as image:
        expected = np.array(image)
    found = first(make("image.decode"), data)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("library", ["pillow", "opencv"])
def test_decode_of_the_smallest_image(make: Make, library: str) -> None:
    data = encoded(Image.new("RGB", (1, 1), (9, 80, 250)))
    assert first(make("image.decode", library=library), data).tolist() == [[[9, 80, 250]]]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box"])
def test_resize_of_and_to_a_single_pixel(make: Make, pixels: Pixels, interpolation: str) -> None:
    one = pixels[:1, :1]
    enlarged = first(make("image.resize", size=3, interpolation=interpolation), one)
    np.testing.assert_array_equal(enlarged, np.broadcast_to(one, (3, 3, 3)))
    shrunk = first(make("image.resize", shape=[1, 1], interpolation=interpolation), pixels)
    kind = Image.Resampling[interpolation.upper()]
    np.testing.assert_array_equal(shrunk, np.array(Image.fromarray(pixels).resize((1, 1), kind)))


def test_decode_modes(make: Make, pixels: Pixels) -> None:
    data = encoded(Image.fromarray(pixels))
    np.testing.assert_array_equal(first(make("image.decode", mode="BGR"), data), pixels[:, :, ::-1])
    grey = first(make("image.decode", mode="L"), data)
    assert grey.shape == (37, 52, 1)
    np.testing.assert_array_equal(grey[:, :, 0], np.array(Image.fromarray(pixels).convert("L")))


def test_decode_turns_grey_into_three_equal_channels(make: Make, pixels: Pixels) -> None:
    found = first(make("image.decode"), encoded(Image.fromarray(pixels[:, :, 0])))
    np.testing.assert_array_equal(found, np.repeat(pixels[:, :, :1], 3, axis=2))


def test_decode_drops_transparency(make: Make, pixels: Pixels) -> None:
    image = Image.fromarray(pixels)
    image.putalpha(100)
    np.testing.assert_array_equal(first(make("image.decode"), encoded(image)), pixels)


def test_decode_refuses_what_is_no_image_or_half_of_one(make: Make, pixels: Pixels) -> None:
    decode = make("image.decode")
    with pytest.raises(UserError, match="5 bytes are not an image"):
        first(decode, np.frombuffer(b"hello", dtype=np.uint8))
    data = encoded(Image.fromarray(pixels))
    with pytest.raises(UserError, match="not an image"):
        first(decode, data[: data.size // 2])


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box"])
def test_resize_is_pillows(make: Make, pixels: Pixels, interpolation: str) -> None:
    found = first(make("image.resize", shape=[20, 30], interpolation=interpolation), pixels)
    filter_of_pillow = Image.Resampling[interpolation.upper()]
    np.testing.assert_array_equal(found, np.array(Image.fromarray(pixels).resize((30, 20), filter_of_pillow)))


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [((300, 451), 256, (256, 384)), ((451, 300), 256, (384, 256)), ((10, 10), 7, (7, 7)), ((3, 2), 4, (6, 4))],
)
def test_resize_by_the_short_side_keeps_the_proportion(
    make: Make, shape: tuple[int, int], size: int, expected: tuple[int, int]
) -> None:
    found = first(make("image.resize", size=size), np.zeros((*shape, 3), np.uint8))
    assert found.shape == (*expected, 3)


def test_resize_keeps_one_channel(make: Make, pixels: Pixels) -> None:
    found = first(make("image.resize", size=16), pixels[:, :, :1])
    expected = np.array(Image.fromarray(pixels[:, :, 0]).resize((22, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(found[:, :, 0], expected)


def test_resize_refuses_floats_and_odd_channels(make: Make, pixels: Pixels) -> None:
    for wrong in (pixels.astype(np.float32), pixels[:, :, :2]):
        with pytest.raises(UserError, match=r"needs uint8 \[height, width, 1 or 3\]"):
            first(make("image.resize", size=16), wrong)


@pytest.mark.parametrize("name", ["image.resize", "image.center-crop"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"size": 4, "shape": [4, 4]}, {"size": 0}, {"shape": [4]}, {"shape": [4, -1]}, {"shape": [4, "4"]}],
)
def test_a_wrong_size_is_refused_when_the_step_is_made(make: Make, name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"step '{name}'"):
        make(name, **parameters)


def test_center_crop_of_even_and_odd_remainders(make: Make, pixels: Pixels) -> None:
    np.testing.assert_array_equal(first(make("image.center-crop", size=10), pixels), pixels[13:23, 21:31])
    found = first(make("image.center-crop", shape=[37, 51]), pixels)
    np.testing.assert_array_equal(found, pixels[:, :51])
    assert found.flags.c_contiguous


def test_center_crop_rounds_as_it_is_told(make: Make) -> None:
    pixels = np.arange(8, dtype=np.uint8).reshape(1, 8, 1)
    for width, down, even in ((8, 0, 0), (7, 0, 0), (6, 1, 1), (5, 1, 2), (4, 2, 2), (3, 2, 2), (2, 3, 3), (1, 3, 4)):
        found = [
            int(first(make("image.center-crop", shape=[1, width], rounding=rounding), pixels)[0, 0, 0])
            for rounding in ("down", "half-even")
        ]
        assert found == [down, even], width


def test_center_crop_refuses_a_smaller_image(make: Make, pixels: Pixels) -> None:
    with pytest.raises(UserError, match=r"\[37, 52, 3\], smaller than the \[38, 38\]"):
        first(make("image.center-crop", size=38), pixels)


@pytest.mark.parametrize(
    ("mean", "std", "scale"),
    [([127.0], [128.0], 1), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 1 / 255), ([1, 2, 3], [4], 2.0)],
)
def test_normalize_is_the_formula(
    make: Make, pixels: Pixels, mean: list[float], std: list[float], scale: float
) -> None:
    found = first(make("image.normalize", mean=mean, std=std, scale=scale), pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, (pixels.astype(np.float64) * scale - mean) / std, rtol=1e-6, atol=1e-6)


def test_divide_makes_fractions_of_whole_numbers(make: Make, pixels: Pixels) -> None:
    found = first(make("image.normalize", divide=255), pixels)
    np.testing.assert_array_equal(found, pixels.astype(np.float32) / np.float32(255))


def test_normalize_without_parameters_only_changes_the_dtype(make: Make, pixels: Pixels) -> None:
    np.testing.assert_array_equal(first(make("image.normalize"), pixels), pixels.astype(np.float32))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"std": [1.0, 0.0]}, "std is .* must not hold 0"),
        ({"divide": 0}, "divide is 0, and must not hold 0"),
        ({"mean": []}, "mean is"),
        ({"mean": ["a"]}, "mean is"),
    ],
)
def test_normalize_refuses_wrong_numbers(make: Make, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make("image.normalize", **parameters)


def test_normalize_refuses_another_number_of_channels(make: Make, pixels: Pixels) -> None:
    with pytest.raises(UserError, match="std has 2 numbers for 3 channels"):
        first(make("image.normalize", std=[1.0, 2.0]), pixels)


def test_layout_there_and_back(make: Make, pixels: Pixels) -> None:
    planes = first(make("image.layout", to="CHW"), pixels)
    assert planes.shape == (3, 37, 52)
    assert planes.flags.c_contiguous
    np.testing.assert_array_equal(planes[1], pixels[:, :, 1])
    np.testing.assert_array_equal(first(make("image.layout", to="HWC"), planes), pixels)


def test_layout_refuses_a_flat_array(make: Make) -> None:
    with pytest.raises(UserError, match="three axes"):
        first(make("image.layout", to="CHW"), np.zeros(4))


def test_parameters_are_held_against_their_declaration(make: Make) -> None:
    with pytest.raises(UserError, match="Did you mean 'interpolation'"):
        make("image.resize", size=4, interpolaton="box")
    with pytest.raises(UserError, match="must be one of RGB, BGR, L"):
        make("image.decode", mode="CMYK")
    with pytest.raises(UserError, match="needs the option 'to'"):
        make("image.layout")


def test_further_arrays_of_a_sample_pass_unchanged(make: Make, pixels: Pixels) -> None:
    extra = np.arange(3)
    result = make("image.layout", to="CHW")((pixels, extra), {})
    assert isinstance(result, tuple)
    assert result[1] is extra


def test_one_step_serves_many_threads(make: Make) -> None:
    images = [np.full((40 + side, 50, 3), side, np.uint8) for side in range(16)]
    decode, resize = make("image.decode"), make("image.resize", size=20)
    files = [encoded(Image.fromarray(image)) for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda data: first(resize, first(decode, data)), files))
    for side, image in enumerate(found):
        assert min(image.shape[:2]) == 20
        assert (image == side).all()
