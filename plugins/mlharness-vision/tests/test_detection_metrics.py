"""The metrics ``coco-map`` and ``openimages-map`` give what MLPerf's scripts print for the same log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_vision.detection.datasets import open_coco, open_openimages
from mlharness_vision.detection.precision import (
    FIGURES,
    evaluate,
    rows_response,
    score_coco_map,
    score_map,
    score_openimages_map,
)
from mlharness_vision.detection.precision import detections as results_of
from mlharness_vision.detection.resampling import matches_of, mean_average_precision

from mlharness.errors import RunError
from mlharness.providers import Array, DataSet, ResponseSpec
from mlharness.runner.score import read_responses

FIXTURES = Path(__file__).parent / "fixtures"
OPENERS = {"coco": open_coco, "openimages": open_openimages}
SCORES = {"coco": score_coco_map, "openimages": score_openimages_map}
LOG, NUMBERED = "mlperf_log_accuracy.json", "mlperf_log_accuracy_numbered.json"

# What the scripts of vision/classification_and_detection/tools in mlcommons/inference (commit b66003e) print, run with
# pycocotools 2.0.11 and NumPy 2.4.6 on the fixtures:
#   python accuracy-coco.py --mlperf-accuracy-file coco/LOG --coco-dir coco [--use-inv-map]
#   python accuracy-openimages.py --mlperf-accuracy-file openimages/LOG --openimages-dir openimages [--use-inv-map]
# The log has one sample twice and one without any detection. The numbered one is the same detections by the categories'
# places, so that the script says the same with --use-inv-map, and something else without.
COCO = ("24.805", "0.248 0.505 0.217 0.545 0.158 0.257 0.252 0.317 0.317 0.562 0.223 0.287")
OPENIMAGES = ("14.862", "0.149 0.584 0.141 0.168 0.126 -1.000 0.100 0.175 0.175 0.167 0.225 -1.000")
CASES = [
    ("coco", LOG, False, *COCO),
    ("coco", NUMBERED, True, *COCO),
    ("coco", NUMBERED, False, "3.366", ""),
    ("openimages", LOG, False, *OPENIMAGES),
    ("openimages", NUMBERED, True, *OPENIMAGES),
]


def opened(kind: str) -> DataSet:
    return OPENERS[kind]({"root": str(FIXTURES / kind)}, None, Path)


def logged(kind: str, log: str) -> Mapping[int, Array]:
    return read_responses(FIXTURES / kind / log, rows_response({}), len(opened(kind)))


def options(use_inv_map: bool = False, rounds: int = 20) -> dict[str, Any]:
    return {"use_inv_map": use_inv_map, "rounds": rounds}


@pytest.mark.parametrize(("kind", "log", "use_inv_map", "percent", "figures"), CASES)
def test_every_printed_digit_is_the_official_scripts(
    kind: str, log: str, use_inv_map: bool, percent: str, figures: str, capsys: pytest.CaptureFixture[str]
) -> None:
    score = SCORES[kind](logged(kind, log), opened(kind).label, options(use_inv_map))
    assert (f"{score.value:.3f}", score.unit, score.n) == (percent, "%", len(opened(kind)))
    assert tuple(score.details) == FIGURES
    if figures:
        assert " ".join(f"{figure:.3f}" for figure in score.details.values()) == figures
    assert capsys.readouterr().out == ""


def test_the_response_is_rows_of_seven() -> None:
    assert rows_response({}) == ResponseSpec("float32", (None, 7))


def test_nothing_found_anywhere_is_a_precision_of_zero() -> None:
    none = {index: np.zeros((0, 7), np.float32) for index in range(10)}
    score = score_coco_map(none, opened("coco").label, options())
    assert (score.value, score.interval) == (0.0, (0.0, 0.0))


def test_all_found_is_a_precision_of_one_hundred() -> None:
    label = opened("coco").label
    score = score_coco_map({index: exact(index, label(index)) for index in range(10)}, label, options())
    assert score.value == pytest.approx(100.0)
    assert score.interval == pytest.approx((100.0, 100.0))


def exact(index: int, truth: Mapping[str, Any]) -> Array:
    """A row for each annotation, as the network that knows everything gives it."""
    boxes = np.array([one["bbox"] for one in truth["annotations"]]).reshape(-1, 4)
    edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)[:, [1, 0, 3, 2]]
    scores = np.full((len(boxes), 1), 0.9)
    classes = np.array([one["category_id"] for one in truth["annotations"]]).reshape(-1, 1)
    parts = (np.full_like(scores, index), edges / ([truth["height"], truth["width"]] * 2), scores, classes)
    return np.concatenate(parts, axis=1).astype(np.float32)


def test_a_part_of_the_data_set_is_scored_alone() -> None:
    few = {index: rows for index, rows in logged("coco", LOG).items() if index < 4}
    score = score_coco_map(few, opened("coco").label, options())
    assert score.n == 4
    assert score.value != score_coco_map(logged("coco", LOG), opened("coco").label, options()).value


def test_rows_of_another_sample_are_an_error() -> None:
    responses = dict(logged("coco", LOG))
    responses[0], responses[1] = responses[1], responses[0]
    with pytest.raises(RunError, match=r"the response of sample 0 has rows of the samples \[1\]"):
        score_coco_map(responses, opened("coco").label, options())


def test_a_class_without_a_category_is_an_error_when_classes_are_numbers() -> None:
    with pytest.raises(RunError, match=r"the class 90, and there are 80") as caught:
        score_coco_map(logged("coco", LOG), opened("coco").label, options(use_inv_map=True))
    assert "use_inv_map: false" in caught.value.remedy


@pytest.mark.parametrize("rounds", [0, 5])
def test_no_interval_without_rounds_or_with_one_image(rounds: int) -> None:
    responses = {0: logged("coco", LOG)[0]} if rounds else logged("coco", LOG)
    assert score_coco_map(responses, opened("coco").label, options(rounds=rounds)).interval is None


def test_the_interval_is_around_the_figure_and_of_the_images() -> None:
    label = opened("coco").label
    score = score_coco_map(logged("coco", LOG), label, options(rounds=200))
    assert score.interval is not None
    low, high = score.interval
    assert 5 < low < score.value - 5 < score.value + 5 < high < 45
    assert score == score_coco_map(logged("coco", LOG), label, options(rounds=200))


def evaluated(times: list[int]) -> Any:
    """COCOeval over the fixture in which each image stands so many times, under ids of its own."""
    truths: dict[int, dict[str, Any]] = {}
    found: list[dict[str, Any]] = []
    responses = logged("coco", LOG)
    for index, count in enumerate(times):
        for _ in range(count):
            truth = dict(opened("coco").label(index))
            place = len(truths)
            truth["image_id"] = place + 1
            truth["annotations"] = [{**one, "id": 100 * place + one["id"]} for one in truth["annotations"]]
            truths[place] = truth
            found += results_of("test", index, responses[index], truth, use_inv_map=False)
    return evaluate(truths, found)


@pytest.mark.parametrize("times", [[1] * 10, [2, 0, 1, 1, 3, 0, 1, 0, 2, 0], [0, 0, 0, 0, 1, 4, 4, 1, 0, 0]])
def test_a_drawn_figure_is_what_cocoeval_says_of_the_drawn_images(times: list[int]) -> None:
    whole = evaluated([1] * 10)
    matches, recalls = list(matches_of(whole)), np.asarray(whole.params.recThrs)
    found = mean_average_precision(matches, np.array(times), recalls)
    assert found == pytest.approx(evaluated(times).stats[0], abs=1e-9)


def test_images_without_anything_to_find_have_no_precision() -> None:
    empty = {9: np.zeros((0, 7), np.float32)}
    with pytest.raises(RunError, match="no sample of the data set has an annotation"):
        score_map("coco-map", empty, opened("coco").label, options())
