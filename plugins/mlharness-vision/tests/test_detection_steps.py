"""The steps ``detection.*`` against MLPerf's reference implementation, torchvision and plain loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mlharness_vision.detection.priors import mobilenet_priors, resnet34_priors

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, StepFunction

Make = Callable[..., StepFunction]


def normal(seed: int, *shape: int) -> Array:
    """float32 numbers around 0."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def call(step: StepFunction, *arrays: Array, indices: tuple[int, ...] = (0,)) -> Arrays:
    result = step(arrays, {"attributes": {}, "options": {}, "sample_indices": list(indices)})
    return result if isinstance(result, tuple) else (result,)


# Numbers of the two tests that follow: dboxes_R34_coco([1200, 1200], [3, 3, 2, 2, 2, 2])("xywh"), and
# create_ssd_anchors()._generate([(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]), whose corners were made centres,
# of vision/classification_and_detection/python/models in mlcommons/inference (commit b66003e), run with torch 2.14.1.
RESNET34 = {
    0: [0.01, 0.01, 0.07, 0.07],
    3001: [0.03, 0.21, 0.10246951, 0.10246951],
    11000: [0.02, 0.62, 0.22248595, 0.22248595],
    15129: [0.83333333, 0.83333333, 0.6151829, 1.0],
}
RESNET34_SUM = 19219.794854
MOBILENET = {
    0: [0.02631579, 0.02631579, 0.1, 0.1],
    1: [0.02631579, 0.02631579, 0.28284273, 0.14142136],
    1090: [0.15000001, 0.05, 0.49497473, 0.24748737],
    1700: [0.5, 0.09999999, 0.57008767, 0.57008773],
    1916: [0.5, 0.5, 0.97467947, 0.97467947],
}
MOBILENET_SUM = 3054.125655


def test_priors_of_resnet34_are_the_references() -> None:
    centres = resnet34_priors().centres
    assert centres.shape == (15130, 4)
    for place, wanted in RESNET34.items():
        np.testing.assert_allclose(centres[place], wanted, atol=5e-8)
    assert centres.astype(np.float64).sum() == pytest.approx(RESNET34_SUM, abs=1e-3)


def test_priors_of_mobilenet_are_the_references() -> None:
    centres = mobilenet_priors().centres
    assert centres.shape == (1917, 4)
    for place, wanted in MOBILENET.items():
        np.testing.assert_allclose(centres[place], wanted, atol=3e-7)
    assert centres.astype(np.float64).sum() == pytest.approx(MOBILENET_SUM, abs=1e-3)


# Boxes and sums: scale_back_batch of ssd_r34.py on codes [2, 4, 15130] and class outputs [2, 5, 15130], and
# decode_boxes of utils.py with the weights 10, 10, 5, 5 and torch.sigmoid on [2, 1917, 4] and [2, 1917, 5], run in the
# same way.
DECODED = {
    "ssd-resnet34": (
        (normal(1, 2, 4, 15130), normal(2, 2, 5, 15130)),
        [-0.0184577, -0.0193881, 0.0394585, 0.0685125, 0.118365, -0.0204462, 0.172654, 0.0398061,
         0.5639844, 0.5187117, 1.1688673, 1.3241129],
        60514.694078755565, 6082.536539900815,
    ),
    "ssd-mobilenet": (
        (normal(3, 2, 1917, 4), normal(4, 2, 1917, 5)),
        [-0.0326299, 0.0152841, 0.0658546, 0.0809832, 0.0081434, -0.050521, 0.2651682, 0.1244872,
         0.0179207, 0.0730579, 1.0891993, 0.9027014],
        7665.603944353759, 1915.9357083309442,
    ),
}  # fmt: skip


@pytest.mark.parametrize("network", DECODED)
def test_boxes_are_decoded_as_the_reference_does(make: Make, network: str) -> None:
    arrays, some, boxes_sum, scores_sum = DECODED[network]
    boxes, scores = call(make("detection.decode-boxes", priors=network), *arrays, indices=(0, 1))
    assert [str(array.dtype) for array in (boxes, scores)] == ["float32", "float32"]
    np.testing.assert_allclose(boxes[1, [0, 7, -1]].ravel(), some, atol=1e-6)
    assert boxes.astype(np.float64).sum() == pytest.approx(boxes_sum, rel=1e-7)
    assert scores.astype(np.float64)[:, :, 0].sum() == pytest.approx(scores_sum, rel=1e-7)


def test_codes_of_nothing_are_the_priors_themselves(make: Make) -> None:
    boxes, scores = call(make("detection.decode-boxes", priors="ssd-mobilenet"), np.zeros((1, 1917, 4), np.float32),
                         np.zeros((1, 1917, 3), np.float32))  # fmt: skip
    centres = mobilenet_priors().centres
    np.testing.assert_allclose((boxes[0, :, :2] + boxes[0, :, 2:]) / 2, centres[:, :2], atol=1e-7)
    np.testing.assert_allclose(boxes[0, :, 2:] - boxes[0, :, :2], centres[:, 2:], atol=1e-7)
    assert (scores == 0.5).all()


def test_scales_and_activation_are_the_manifests(make: Make) -> None:
    codes, classes = normal(5, 1, 1917, 4), normal(6, 1, 1917, 3) * 100
    options = {"priors": "ssd-mobilenet", "activation": "softmax"}
    boxes, scores = call(make("detection.decode-boxes", **options, scale_xy=0.2, scale_wh=0.1), codes, classes)
    halved = codes * np.array([2, 2, 0.5, 0.5], np.float32)
    wanted, _ = call(make("detection.decode-boxes", **options), halved, classes)
    np.testing.assert_allclose(boxes, wanted, atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=2), 1, rtol=1e-6)
    (_, kept) = call(make("detection.decode-boxes", priors="ssd-mobilenet", activation="none"), codes, classes)
    np.testing.assert_array_equal(kept, classes)


def test_boxes_of_another_network_are_refused(make: Make) -> None:
    with pytest.raises(UserError, match=r"needs \[n, 4, 15130\] and \[n, classes, 15130\]"):
        call(make("detection.decode-boxes", priors="ssd-resnet34"), *DECODED["ssd-mobilenet"][0])


def scene() -> tuple[Array, Array]:
    """60 boxes with scores of 4 classes, which overlap a lot."""
    draw = np.random.default_rng(11)
    corner, size = draw.uniform(0, 0.7, (60, 2)), draw.uniform(0.1, 0.3, (60, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    return boxes, draw.uniform(0, 1, (60, 4)).astype(np.float32)


# The first of 91 (box, class) that torchvision.ops.batched_nms 0.29.1 keeps of the scores above 0.3 at an IoU of 0.4.
KEPT = [(32, 2), (9, 1), (6, 2), (55, 2), (24, 1), (51, 2), (10, 1), (13, 2), (41, 3), (57, 2), (42, 3), (26, 2)]


def test_nms_keeps_what_torchvision_keeps(make: Make) -> None:
    boxes, scores = scene()
    count, found, best, classes = call(make("detection.nms", iou_threshold=0.4, score_threshold=0.3), boxes, scores)
    assert count == 91
    for place, (box, label) in enumerate(KEPT):
        np.testing.assert_array_equal(found[place], boxes[box])
        assert (best[place], classes[place]) == (scores[box, label], label)
    assert found.astype(np.float64).sum() == pytest.approx(148.9264325685799)
    assert not found[91:].any()
    assert not best[91:].any()


@pytest.mark.origin
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_nms_is_torchvisions_at_every_threshold(make: Make, threshold: float) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `origin`)")
    ops = pytest.importorskip("torchvision", reason="torchvision is not installed (extra `origin`)").ops
    boxes, scores = scene()
    rows, labels = np.nonzero(scores > 0.1)
    given = (boxes[rows], scores[rows, labels], labels)
    kept = ops.batched_nms(*map(torch.from_numpy, given), threshold).numpy()
    step = make("detection.nms", iou_threshold=threshold, score_threshold=0.1, max_detections=300, background=False)
    count, found, best, classes = call(step, boxes, scores)
    assert count == len(kept)
    for real, wanted in zip((found, best, classes), given, strict=True):
        np.testing.assert_array_equal(real[: len(kept)], wanted[kept])


def test_nms_limits_candidates_of_each_class_and_detections_of_all(make: Make) -> None:
    boxes = np.array([[0, 0, 1, 1], [2, 0, 3, 1], [4, 0, 5, 1]], np.float32)
    scores = np.array([[0, 0.9, 0.5], [0, 0.8, 0.6], [0, 0.7, 0.4]], np.float32)
    _, _, best, classes = call(make("detection.nms", candidates=2, max_detections=5), boxes, scores)
    assert [(round(float(s), 1), c) for s, c in zip(best, classes, strict=True)] == [
        (0.9, 1), (0.8, 1), (0.6, 2), (0.5, 2), (0, 0)
    ]  # fmt: skip
    count, _, best, _ = call(make("detection.nms", max_detections=2), boxes, scores)
    assert count == 2
    np.testing.assert_allclose(best, [0.9, 0.8], rtol=1e-6)


def test_nms_of_nothing_is_nothing(make: Make) -> None:
    count, boxes, scores, classes = call(
        make("detection.nms", max_detections=3), np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32)
    )
    assert count == 0
    assert [array.shape for array in (boxes, scores, classes)] == [(3, 4), (3,), (3,)]


def reference_rows(boxes: Array, scores: Array, classes: Array, index: int, threshold: float, size: int = 1) -> Any:
    """What the loops of coco.py and openimages.py do: rows up to the first score below the threshold."""
    rows = []
    for box, score, label in zip(boxes, scores, classes, strict=True):
        if score < threshold:
            break
        rows.append([float(index), box[1] / size, box[0] / size, box[3] / size, box[2] / size, score, float(label)])
    return np.array(rows, np.float32).reshape(-1, 7)


def detections(seed: int, count: int) -> tuple[Array, Array, Array]:
    draw = np.random.default_rng(seed)
    boxes = draw.uniform(0, 800, (count, 4)).astype(np.float32)
    return boxes, np.sort(draw.uniform(0, 1, count)).astype(np.float32)[::-1], draw.integers(0, 264, count)


def test_rows_of_one_image_without_a_batch_axis(make: Make) -> None:
    boxes, scores, labels = detections(1, 40)
    step = make(
        "detection.coco-rows",
        arrays=["boxes", "scores", "classes"],
        corners="xyxy",
        size=[800, 800],
        score_threshold=0.3,
    )
    (rows,) = call(step, boxes, scores, labels, indices=(7,))
    assert (str(rows.dtype), len(rows)) == ("float32", 1)
    np.testing.assert_array_equal(rows[0], reference_rows(boxes, scores, labels, 7, 0.3, 800))
    (none,) = call(step, boxes[:0], scores[:0], labels[:0], indices=(7,))
    assert none.shape == (1, 0, 7)


def test_rows_of_a_batch_are_ragged_when_images_have_different_numbers(make: Make) -> None:
    step = make("detection.coco-rows", arrays=["boxes", "classes", "scores"], corners="xyxy", score_threshold=0.5)
    each = [detections(seed, 9) for seed in range(3)]
    boxes, scores, labels = (np.stack(column) for column in zip(*each, strict=True))
    found = call(step, boxes, labels, scores, indices=(4, 2, 9))
    wanted = [reference_rows(*one, index, 0.5) for one, index in zip(each, (4, 2, 9), strict=True)]
    assert len({len(rows) for rows in wanted}) > 1, "the images must differ for the test to say something"
    for real, rows in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(real, rows)


def test_rows_of_a_counted_batch(make: Make) -> None:
    boxes, scores, labels = (np.stack([array] * 2) for array in detections(3, 5))
    first, second = call(
        make("detection.coco-rows"), np.array([2, 5], np.float32), boxes, scores, labels, indices=(0, 1)
    )
    np.testing.assert_array_equal(first[:, 1:5], boxes[0, :2])
    np.testing.assert_array_equal(second[:, [0, 5, 6]], np.stack([np.ones(5), scores[1], labels[1]], axis=1))


def test_rows_of_the_wrong_arrays_say_what_is_needed(make: Make) -> None:
    with pytest.raises(UserError, match="got 3 arrays, and arrays names 4"):
        call(make("detection.coco-rows"), *detections(1, 3))
    with pytest.raises(UserError, match=r"Did you mean 'scores'"):
        make("detection.coco-rows", arrays=["boxes", "score", "classes"])


def test_from_an_ssd_networks_outputs_to_rows(make: Make) -> None:
    """Decode, suppress, and write: what is kept is what each step gives alone."""
    arrays = (normal(1, 1, 1917, 4), normal(2, 1, 1917, 3) - 2)
    boxes, scores = call(make("detection.decode-boxes", priors="ssd-mobilenet"), *arrays)
    kept = call(make("detection.nms", score_threshold=0.3), boxes[0], scores[0])
    (rows,) = call(make("detection.coco-rows", corners="xyxy"), *(array[None] for array in kept), indices=(3,))
    assert len(rows[0]) == kept[0] > 10
    np.testing.assert_array_equal(rows[0, :, [2, 1, 4, 3]].T, kept[1][: int(kept[0])])
