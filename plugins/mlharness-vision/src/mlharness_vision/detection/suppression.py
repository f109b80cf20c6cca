"""Non-maximum suppression: of boxes of one class that overlap, the one with the best score stays."""

from __future__ import annotations

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction

NAME = "detection.nms"
PARAMETERS = (
    Option("iou_threshold", "number", "Boxes of a class that overlap a better one by more than this go, 0 to 1.", 0.5),
    Option("score_threshold", "number", "Boxes need a score above this.", 0.05),
    Option("max_detections", "integer", "How many boxes stay at most, those with the best scores.", 200),
    Option("candidates", "integer", "How many boxes of each class are looked at, the best ones; without it all."),
    Option("background", "boolean", "Whether the first class is the background, which is no object.", True),
)


def make_nms(
    iou_threshold: float = 0.5,
    score_threshold: float = 0.05,
    max_detections: int = 200,
    candidates: int | None = None,
    background: bool = True,
) -> StepFunction:
    """Sample step: non-maximum suppression, class by class: of boxes that overlap, the one with the best score stays.

    Input: boxes, float32 [boxes, 4] (two corners, in any order that the whole image shares), and scores, float32
    [boxes, classes]. Output, best scores first, with zeros up to ``max_detections``: how many there are, float32 [];
    boxes, float32 [max_detections, 4]; scores and class numbers, float32 [max_detections] each. Class 0 is the first,
    the background included. The overlap is the area of the intersection over that of the union.

    Raises:
        UserError: a threshold is not from 0 to 1, or a number is not at least 1.
        UserError: (from the step) the arrays are not boxes, and a row of scores for each.
    """
    check_share("iou_threshold", iou_threshold)
    check_share("score_threshold", score_threshold)
    check_count("max_detections", max_detections)
    if candidates is not None:
        check_count("candidates", candidates)

    def suppress(arrays: Arrays, context: Context) -> Arrays:
        boxes, scores = checked(arrays)
        found = candidates_of(scores, score_threshold, candidates, first=int(background))
        kept = best(boxes[found[0]], found[1], found[2], iou_threshold, max_detections)
        return padded(boxes[found[0][kept]], found[2][kept], found[1][kept], max_detections)

    return suppress


def checked(arrays: Arrays) -> tuple[Array, Array]:
    """Boxes and scores. Raises UserError unless they are [boxes, 4] and [boxes, classes]."""
    shapes = [list(array.shape) for array in arrays]
    if [len(shape) for shape in shapes] != [2, 2] or shapes[0][1] != 4 or shapes[0][0] != shapes[1][0]:
        raise UserError(
            f"got the shapes {shapes}, and needs [boxes, 4] and [boxes, classes]", "Put 'detection.decode-boxes' first."
        )
    return arrays[0], arrays[1]


def candidates_of(scores: Array, threshold: float, most: int | None, first: int) -> tuple[Array, Array, Array]:
    """What is worth a look, best scores first: its box's number and its class, int64 [k] each, and its score [k].

    Of each class from ``first`` on, the ``most`` best (None: all) above the threshold; of equal scores, the box that
    stands first.
    """
    boxes, classes = np.nonzero(scores[:, first:] > threshold)
    classes = classes + first
    order = np.argsort(-scores[boxes, classes], kind="stable")
    if most is not None:
        order = order[places_in_class(classes[order]) < most]
    boxes, classes = boxes[order], classes[order]
    return boxes, classes, scores[boxes, classes]


def places_in_class(classes: Array) -> Array:
    """How many of the same class stand before each, int64 [k]."""
    order = np.argsort(classes, kind="stable")
    together = classes[order]
    places = np.empty(len(classes), np.int64)
    places[order] = np.arange(len(classes)) - np.searchsorted(together, together, side="left")
    return places


def best(boxes: Array, classes: Array, scores: Array, iou_threshold: float, most: int) -> Array:
    """Positions of the boxes that stay, int64 [k], best first.

    All classes are gone through at once, best score first: a class changes nothing of another, and the rest need not
    be looked at once there are ``most``.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left, kept = np.arange(len(scores)), list[int]()
    while len(left) and len(kept) < most:
        one, left = left[0], left[1:]
        kept.append(int(one))
        near = np.maximum(boxes[one, :2], boxes[left, :2])
        far = np.minimum(boxes[one, 2:], boxes[left, 2:])
        shared = np.prod(np.maximum(far - near, 0), axis=1)
        # written so that boxes without an area overlap nothing
        over = shared > iou_threshold * (areas[one] + areas[left] - shared)
        left = left[~over | (classes[left] != classes[one])]
    return np.array(kept, np.int64)


def padded(boxes: Array, scores: Array, classes: Array, most: int) -> Arrays:
    """The number of detections, and boxes, scores and classes with zeros up to ``most``, all float32."""
    count = len(scores)
    result = np.zeros((most, 6), np.float32)
    result[:count, :4], result[:count, 4], result[:count, 5] = boxes, scores, classes
    return np.array(count, np.float32), result[:, :4].copy(), result[:, 4].copy(), result[:, 5].copy()


def check_share(name: str, value: float) -> None:
    """Raise UserError unless a threshold is from 0 to 1."""
    if not 0 <= value <= 1:
        raise UserError(f"step '{NAME}': {name} is {value:g}", "Give a number from 0 to 1.")


def check_count(name: str, value: int) -> None:
    """Raise UserError unless a number is at least 1."""
    if value < 1:
        raise UserError(f"step '{NAME}': {name} is {value}", "Give a whole number, at least 1.")
