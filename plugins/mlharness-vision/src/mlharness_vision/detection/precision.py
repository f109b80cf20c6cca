"""The metrics ``coco-map`` and ``openimages-map``: COCO's mean average precision of what LoadGen logged."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlharness.errors import RunError
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness_vision.detection.resampling import interval_of_map

OPTIONS = (
    Option(
        "use_inv_map", "boolean",
        "Whether the logged classes number the categories from 1 in their order, and are no ids of categories.", False,
    ),
    Option("rounds", "integer", "How often images are drawn for the interval; 0 leaves it out.", 200),
)  # fmt: skip
FIGURES = (
    "AP", "AP50", "AP75", "AP-small", "AP-medium", "AP-large",
    "AR-1", "AR-10", "AR-100", "AR-small", "AR-medium", "AR-large",
)  # fmt: skip
"""The twelve figures in the order in which COCOeval prints them; -1 where no annotation has the size."""


def score_coco_map(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """COCO's mean average precision in percent, as MLPerf's accuracy-coco.py: COCOeval's first figure times 100.

    The details are COCOeval's twelve figures: fractions, -1 where no annotation is of that size. ``n`` counts images.
    The 95 % interval is a bootstrap over images, centred on the figure: each image is matched with its annotations
    once, and ``rounds`` times (200 unless asked for otherwise) as many images are drawn with replacement, and their
    precision is accumulated anew from these matches, which takes about as long as COCOeval. Images without a label are
    left out.
    """
    return score_map("coco-map", responses, label, options)


def score_openimages_map(
    responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]
) -> Score:
    """Mean average precision in percent on OpenImages, as MLPerf's accuracy-openimages.py, which computes COCO's.

    Details, ``n`` and interval are those of the metric coco-map.
    """
    return score_map("openimages-map", responses, label, options)


def rows_response(options: Mapping[str, Any]) -> ResponseSpec:
    """Rows of sample index, top, left, bottom, right, score, class, as MLPerf's scripts read them; maybe none."""
    return ResponseSpec("float32", (None, 7))


def score_map(
    metric: str, responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]
) -> Score:
    """The score of a metric by COCOeval.

    Raises:
        RunError: no image has a label or an annotation, or a row cannot belong to its sample.
    """
    truths = {index: truth for index in sorted(responses) if (truth := label(index)) is not None}
    if not any(truth["annotations"] for truth in truths.values()):
        raise RunError(f"{metric}: no sample of the data set has an annotation")
    found = [
        detection
        for index, truth in truths.items()
        for detection in detections(metric, index, responses[index], truth, options["use_inv_map"])
    ]
    evaluation = evaluate(truths, found)
    figures = [float(figure) for figure in evaluation.stats]
    interval = interval_of_map(evaluation, options["rounds"])
    return Score(100.0 * figures[0], "%", len(truths), interval, dict(zip(FIGURES, figures, strict=True)))


def detections(
    metric: str, index: int, rows: Array, truth: Mapping[str, Any], use_inv_map: bool
) -> Iterator[dict[str, Any]]:
    """The rows of one sample as COCO's results: image, category, score, and left, top, width, height in pixels.

    In float32 up to COCO's own numbers, as MLPerf's scripts compute with NumPy 2.

    Raises:
        RunError: a row names another sample, or with ``use_inv_map`` a class that there is not.
    """
    if len(rows) and (rows[:, 0].astype(np.int64) != index).any():
        others = sorted(set(rows[:, 0].astype(np.int64).tolist()) - {index})
        raise RunError(f"{metric}: the response of sample {index} has rows of the samples {others[:8]}")
    edges = rows[:, 1:5] * np.array([truth["height"], truth["width"]] * 2, np.float32)
    sizes = edges[:, 2:] - edges[:, :2]
    boxes = np.stack([edges[:, 1], edges[:, 0], sizes[:, 1], sizes[:, 0]], axis=1).astype(np.float64)
    categories = category_ids(metric, index, rows[:, 6].astype(np.int64), truth["categories"] if use_inv_map else None)
    for box, score, category in zip(boxes.tolist(), rows[:, 5].tolist(), categories.tolist(), strict=True):
        yield {"image_id": truth["image_id"], "category_id": category, "bbox": box, "score": score}


def category_ids(metric: str, index: int, classes: Array, categories: Sequence[int] | None) -> Array:
    """The ids of categories that logged classes mean, int64; ``categories`` None: they are ids already.

    Class 0 becomes the id 0, as MLPerf's scripts have it.
    """
    if categories is None:
        return classes
    wrong = classes[(classes < 0) | (classes > len(categories))]
    if len(wrong):
        raise RunError(
            f"{metric}: the response of sample {index} has the class {wrong[0]}, and there are {len(categories)}",
            "Set use_inv_map: false when the model gives ids of categories.",
        )
    return np.array([0, *categories], np.int64)[classes]


def evaluate(truths: Mapping[int, Mapping[str, Any]], found: list[dict[str, Any]]) -> Any:
    """A ``pycocotools.cocoeval.COCOeval`` over these images, accumulated and summarized."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        truth = COCO()
        truth.dataset = dataset_of(truths)
        truth.createIndex()
        results = truth.loadRes(found) if found else empty_of(truth)
        evaluation = COCOeval(truth, results, iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def dataset_of(truths: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Labels as the document that COCO's files hold."""
    categories = next(iter(truths.values()))["categories"]
    return {
        "images": [
            {"id": truth["image_id"], "height": truth["height"], "width": truth["width"]} for truth in truths.values()
        ],
        # COCOeval writes into what it is given
        "annotations": [
            {**annotation, "image_id": truth["image_id"]}
            for truth in truths.values()
            for annotation in truth["annotations"]
        ],
        "categories": [{"id": category} for category in categories],
    }


def empty_of(truth: Any) -> Any:
    """Results without any detection, which ``loadRes`` cannot make."""
    results = type(truth)()
    results.dataset = {**truth.dataset, "annotations": []}
    results.createIndex()
    return results
