"""What steps on images share: the first array, its three axes, a size or a shape, numbers for each channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction

SIZE = Option("size", "integer", "Pixels, at least 1. Give either size or shape.")
SHAPE = Option("shape", "array", "[height, width] in pixels. Give either size or shape.")


def on_first(change: Callable[[Array], Array]) -> StepFunction:
    """A sample step that changes the first array of its sample."""

    def step(arrays: Arrays, context: Context) -> Arrays:
        return (change(arrays[0]), *arrays[1:])

    return step


def check_image(pixels: Array) -> None:
    """Raise UserError unless the array has three axes."""
    if pixels.ndim != 3:
        raise UserError(f"got the shape {list(pixels.shape)}, and needs three axes", "Put 'image.decode' first.")


def wanted_shape(step: str, size: int | None, shape: Sequence[int] | None) -> tuple[int, int] | None:
    """The exact [height, width], or None when ``size`` is given. Raises UserError unless one of them is usable."""
    if (size is None) == (shape is None):
        raise UserError(f"step '{step}' needs either size or shape", "Give size: PIXELS, or shape: [HEIGHT, WIDTH].")
    given: Sequence[Any] = [size] if shape is None else list(shape)
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in given)
    if not whole or len(given) != (1 if shape is None else 2):
        name, value = ("size", size) if shape is None else ("shape", list(shape))
        raise UserError(
            f"step '{step}': {name} is {value!r}", "Give size: PIXELS, or shape: [HEIGHT, WIDTH], each at least 1."
        )
    return None if shape is None else (given[0], given[1])


def numbers(step: str, name: str, values: Sequence[Any]) -> Array:
    """A parameter as float32 [n]. Raises UserError unless it is a list of at least one number."""
    if not values or not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise UserError(
            f"step '{step}': {name} is {list(values)!r}", "Give a list of one number, or one for each channel."
        )
    return np.array(values, dtype=np.float32)
