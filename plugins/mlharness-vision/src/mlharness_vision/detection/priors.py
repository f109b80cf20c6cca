"""Default boxes (priors) of the two SSD networks of the MLPerf suite, and the way from a network's codes to boxes.

A box is [left, top, right, bottom], each as a fraction of the image's width or height.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction

NAME = "detection.decode-boxes"
PARAMETERS = (
    Option(
        "priors", "string", "The default boxes, and with them the order of what comes in.", required=True,
        choices=("ssd-resnet34", "ssd-mobilenet"),
    ),
    Option("scale_xy", "number", "What the codes of a box's centre are multiplied by.", 0.1),
    Option("scale_wh", "number", "What the codes of a box's width and height are multiplied by.", 0.2),
    Option(
        "activation", "string", "From a class's output to its score; without it the network's own.",
        choices=("softmax", "sigmoid", "none"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Priors:
    """The default boxes of a network, and how its outputs lie.

    ``centres`` are float32 [boxes, 4]: x and y of the centre, width, height. ``code`` says which of a box's four codes
    are those of x, y, width and height. ``boxes_last`` is true for outputs [n, 4 or classes, boxes].
    """

    centres: Array
    code: tuple[int, int, int, int]
    boxes_last: bool
    activation: str


def make_decode_boxes(
    priors: str, scale_xy: float = 0.1, scale_wh: float = 0.2, activation: str | None = None
) -> StepFunction:
    """Batch step: the codes that an SSD network gives for its default boxes to boxes, and its class outputs to scores.

    Input for ``ssd-resnet34`` (1200 x 1200 pixels, 15,130 boxes): codes of x, y, width, height, float32 [n, 4, boxes],
    and class outputs, float32 [n, classes, boxes]; softmax. For ``ssd-mobilenet`` (300 x 300 pixels, 1,917 boxes):
    codes of y, x, height, width, float32 [n, boxes, 4], and class outputs, float32 [n, boxes, classes]; sigmoid.
    Output: boxes, float32 [n, boxes, 4], each left, top, right, bottom as fractions of the image, not clipped to it;
    and scores, float32 [n, boxes, classes].

    Raises:
        UserError: (from the step) the arrays are not two of these shapes.
    """
    known = PRIORS[priors]()
    scales = np.array([scale_xy, scale_xy, scale_wh, scale_wh], np.float32)
    activate = _ACTIVATIONS[activation or known.activation]

    def decode(arrays: Arrays, context: Context) -> Arrays:
        codes, scores = (array.swapaxes(1, 2) if known.boxes_last else array for array in checked(arrays, known))
        return decode_codes(codes[:, :, known.code] * scales, known.centres), activate(scores)

    return decode


def checked(arrays: Arrays, known: Priors) -> Arrays:
    """Codes and class outputs. Raises UserError unless there are two arrays of as many boxes as there are priors."""
    axis, count = (2 if known.boxes_last else 1), len(known.centres)
    shapes = [list(array.shape) for array in arrays]
    fits = len(arrays) == 2 and all(len(shape) == 3 and shape[axis] == count for shape in shapes)
    if not fits or shapes[0][3 - axis] != 4:
        wanted = " and ".join(f"[n, {k}, {count}]" if axis == 2 else f"[n, {count}, {k}]" for k in ("4", "classes"))
        raise UserError(f"got the shapes {shapes}, and needs {wanted}", "Check priors, and the order of the outputs.")
    return arrays


def decode_codes(codes: Array, centres: Array) -> Array:
    """Boxes, float32 [n, boxes, 4], of scaled codes, float32 [n, boxes, 4] (x, y, width, height), and their priors."""
    middle = codes[:, :, :2] * centres[:, 2:] + centres[:, :2]
    half = np.exp(codes[:, :, 2:]) * centres[:, 2:] * np.float32(0.5)
    return np.concatenate([middle - half, middle + half], axis=2)


def softmax(values: Array) -> Array:
    """float32 of the same shape; the last axis adds up to 1."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result


def sigmoid(values: Array) -> Array:
    """float32 of the same shape, from 0 to 1; the exponential's argument is never above 0, and cannot overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small))


def unchanged(values: Array) -> Array:
    """For a network that gives scores already. Contiguous."""
    return np.ascontiguousarray(values)


_ACTIVATIONS = {"softmax": softmax, "sigmoid": sigmoid, "none": unchanged}


@lru_cache(maxsize=1)
def resnet34_priors() -> Priors:
    """Those of ssd-resnet34 for 1200 x 1200 pixels: layer by layer, box by box, then row by row.

    Source: the defaults of dboxes_R34_coco in MLPerf's reference implementation, python/models/ssd_r34.py.
    """
    size, grids = 1200, (50, 25, 13, 7, 3, 3)
    lengths = [int(length * size / 300) / size for length in (21, 45, 99, 153, 207, 261, 315)]
    ratios = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    layers = []
    for grid, length, following, wanted in zip(grids, lengths, lengths[1:], ratios, strict=False):
        square, larger = (length, length), (np.sqrt(length * following),) * 2
        wide = [(length * np.sqrt(ratio), length / np.sqrt(ratio)) for ratio in wanted]
        sides = [square, larger, *chain.from_iterable((side, side[::-1]) for side in wide)]
        steps = size // (size // grid)
        layers.append(np.stack([place(grid, steps, side) for side in sides]).reshape(-1, 4))
    centres = np.concatenate(layers).astype(np.float32).clip(0, 1)
    return Priors(centres, (0, 1, 2, 3), boxes_last=True, activation="softmax")


@lru_cache(maxsize=1)
def mobilenet_priors() -> Priors:
    """Those of ssd-mobilenet for 300 x 300 pixels: layer by layer, row by row, then box by box.

    Source: the defaults of create_ssd_anchors in MLPerf's reference implementation, python/models/anchor_generator.py.
    """
    grids = (19, 10, 5, 3, 2, 1)
    lengths = [0.2 + 0.75 * layer / 5 for layer in range(6)] + [1.0]
    layers = []
    for number, (grid, length, following) in enumerate(zip(grids, lengths, lengths[1:], strict=False)):
        pairs = [(0.1, 1.0), (length, 2.0), (length, 0.5)]
        if number:
            pairs = [*((length, ratio) for ratio in (1, 2, 1 / 2, 3, 1 / 3)), (np.sqrt(length * following), 1)]
        sides = [(side * np.sqrt(ratio), side / np.sqrt(ratio)) for side, ratio in pairs]
        layers.append(np.stack([place(grid, grid, side) for side in sides], axis=2).reshape(-1, 4))
    centres = np.concatenate(layers).astype(np.float32)
    return Priors(centres, (1, 0, 3, 2), boxes_last=False, activation="sigmoid")


def place(grid: int, steps: int, side: Any) -> Array:
    """A box of (width, height) in the middle of each of ``grid`` x ``grid`` places, of which ``steps`` fill the image.

    float64 [grid, grid, 4], row by row: x and y of the centre, width, height.
    """
    middles = (np.arange(grid) + 0.5) / steps
    y, x = np.meshgrid(middles, middles, indexing="ij")
    return np.stack([x, y, np.full_like(x, side[0]), np.full_like(x, side[1])], axis=-1)


PRIORS = {"ssd-resnet34": resnet34_priors, "ssd-mobilenet": mobilenet_priors}
