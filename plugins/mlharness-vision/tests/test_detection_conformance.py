"""The steps ``detection.*``, the data sets in COCO's form and average precision hold to the contract."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np
from mlharness_vision.detection.datasets import open_coco, open_openimages

from mlharness.providers import Array, Arrays, OpenDataSet
from mlharness.testing import DataSetConformance, MetricConformance, StepConformance
from mlharness.testing.growth import require_no_growth

FIXTURES = Path(__file__).parent / "fixtures"


def noise(*shape: int) -> Array:
    """float32 of a shape, from 0 to 1."""
    return np.random.default_rng(3).uniform(size=shape).astype(np.float32)


class TestDecodeBoxes(StepConformance):
    step = "detection.decode-boxes"
    parameters: Mapping[str, Any] = {"priors": "ssd-mobilenet"}
    gives = (("float32", (3, 1917, 4)), ("float32", (3, 1917, 2)))
    bad_parameters = ({}, {"priors": "ssd-vgg16"}, {"priors": "ssd-mobilenet", "activation": "tanh"})

    def make_arrays(self) -> Arrays:
        return noise(3, 1917, 4), noise(3, 1917, 2)

    def bad_arrays(self) -> Sequence[Arrays]:
        codes, scores = self.make_arrays()
        return [(codes,), (codes[:, :1000], scores), (codes[:, :, :3], scores), (codes, scores[0])]


class TestNms(StepConformance):
    step = "detection.nms"
    parameters: Mapping[str, Any] = {"max_detections": 10, "candidates": 15}
    gives = (("float32", ()), ("float32", (10, 4)), ("float32", (10,)), ("float32", (10,)))
    bad_parameters = ({"iou_threshold": 1.5}, {"score_threshold": -1}, {"max_detections": 0}, {"candidates": 0})

    def make_arrays(self) -> Arrays:
        corners = noise(20, 4)
        corners[:, 2:] += corners[:, :2]
        return corners, noise(20, 3)

    def bad_arrays(self) -> Sequence[Arrays]:
        boxes, scores = self.make_arrays()
        return [(boxes,), (boxes[:, :3], scores), (boxes[:9], scores), (boxes, scores[:, 0])]


class TestCocoRows(StepConformance):
    step = "detection.coco-rows"
    parameters: Mapping[str, Any] = {"arrays": ["boxes", "classes", "scores"], "corners": "xyxy"}
    gives = (("float32", (3, 5, 7)),)
    bad_parameters = (
        {"arrays": ["boxes", "scores"]},
        {"arrays": ["boxes", "boxes", "scores", "classes"]},
        {"arrays": ["boxes", "scores", "labels"]},
        {"size": [800]},
        {"size": [800, 0]},
        {"corners": "xywh"},
    )

    def make_arrays(self) -> Arrays:
        return noise(3, 5, 4), np.arange(15).reshape(3, 5), noise(3, 5)

    def bad_arrays(self) -> Sequence[Arrays]:
        boxes, classes, scores = self.make_arrays()
        return [
            (boxes, classes),
            (boxes, classes[:, :4], scores),
            (boxes[:2], classes, scores),
            (scores, classes, boxes),
        ]


class TestCoco(DataSetConformance):
    dataset = "coco"
    count = 10

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(FIXTURES / "coco"), "images": 10}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        lacking = Path(shutil.copytree(FIXTURES / "coco", folder / "lacking"))
        (lacking / "val2017" / "000000458054.jpg").unlink()
        damaged = Path(shutil.copytree(FIXTURES / "coco", folder / "damaged"))
        (damaged / "val2017" / "000000458054.jpg").write_bytes(b"words")
        empty = Path(shutil.copytree(FIXTURES / "coco", folder / "empty"))
        (empty / "annotations" / "instances_val2017.json").write_text(json.dumps({"images": []}), "utf-8")
        return [
            {"root": str(folder / "nowhere")},
            *({"root": str(root)} for root in (lacking, damaged, empty)),
            {"root": str(FIXTURES / "coco"), "images": 5000},
        ]


class TestOpenImages(DataSetConformance):
    dataset = "openimages"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(FIXTURES / "openimages"), "annotated_only": True}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        return [{"root": str(FIXTURES / "coco")}, {"root": str(FIXTURES / "openimages"), "images": 24781}]


class OnFixture(MetricConformance):
    """A metric on the first three images of a fixture: what is there, every second thing a fifth of its height off.

    Such boxes overlap by 0.8, which is enough for seven of the ten thresholds. That the figures are the official
    scripts' is the matter of test_detection_metrics.py.
    """

    options: Mapping[str, Any] = {"rounds": 2}

    def make_responses(self) -> Mapping[int, Array]:
        return {index: self.rows(index) for index in range(3)}

    def rows(self, index: int) -> Array:
        truth = self.label(index)
        rows = []
        for place, annotation in enumerate(truth["annotations"]):
            left, top, width, height = annotation["bbox"]
            edges = np.array([top + (place + index) % 2 * height / 5, left, top + height, left + width])
            size = [truth["height"], truth["width"]] * 2
            rows.append([index, *(edges / size), 0.9 - place / 10, annotation["category_id"]])
        return np.array(rows, np.float32).reshape(-1, 7)


@cache
def labels(kind: str, category: int) -> Sequence[Mapping[str, Any]]:
    """Three labels of a fixture with one category alone, so that a thousand scores take seconds."""
    opener: OpenDataSet = open_coco if kind == "coco" else open_openimages
    dataset = opener({"root": str(FIXTURES / kind)}, 3, Path)
    truths = [dataset.label(index) for index in range(3)]
    of = [[one for one in truth["annotations"] if one["category_id"] == category] for truth in truths]
    return [{**truth, "annotations": few, "categories": [category]} for truth, few in zip(truths, of, strict=True)]


class TestCocoMap(OnFixture):
    metric = "coco-map"
    expected = 86.53465346534654

    def label(self, index: int) -> Any:
        return labels("coco", 67)[index]

    def test_a_thousand_scores_leak_nothing(self) -> None:
        """Two hundred: where memory is traced, COCOeval takes a tenth of a second for each."""
        score, responses, options = self.provider().score, self.logged(), self.resolved_options()
        call = partial(score, responses, self.label, options)
        require_no_growth(self.metric, "score keeps nothing of a call", "MetricConformance", call, calls=200)


class TestOpenImagesMap(OnFixture):
    metric = "openimages-map"
    expected = 85.14851485148515

    def label(self, index: int) -> Any:
        return labels("openimages", 7)[index]

    def test_a_thousand_scores_leak_nothing(self) -> None:
        raise SkipTest("the code is that of coco-map, and the check takes long")
