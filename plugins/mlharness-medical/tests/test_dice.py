"""The metric ``dice``, against MLPerf's scripts on the same logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from logs import noisy_classes, noisy_scores
from mlharness_medical import dice
from mlharness_medical.brats import open_brats
from mlharness_medical.kits19 import open_kits19

from mlharness.errors import RunError

CASES = ["case_00000", "case_00003", "case_00400"]
# Printed by vision/medical_imaging/3d-unet-kits19/accuracy_kits.py of mlcommons/inference for a log of noisy_classes of
# tests/data/kits19-preprocessed (whose pickles preprocess.py wrote beside it).
OFFICIAL_KITS19 = "Accuracy: mean = 0.60467, kidney = 0.8398, tumor = 0.3695"
# Printed by retired_benchmarks/vision/medical_imaging/3d-unet-brats19/accuracy-brats.py, with nnU-Net 1.7.1's
# evaluate_regions and padded_shape = [16, 16, 12], for a log of noisy_scores of tests/data/brats and pickles of its
# form.
OFFICIAL_BRATS = "Accuracy: mean = 0.51333, whole tumor = 0.7559, tumor core = 0.5310, enhancing tumor = 0.2531"


def test_kits19_prints_what_the_official_script_prints(data: Path) -> None:
    options = {"root": str(data / "kits19-preprocessed"), "layout": "preprocessed", "cases": CASES}
    dataset = open_kits19(options, None, Path)
    responses = {index: noisy_classes(dataset.label(index), index).ravel() for index in range(3)}
    found = dice.score(responses, dataset.label, {"task": "kits19"})
    printed = "Accuracy: mean = {:.5f}, kidney = {kidney:.4f}, tumor = {tumor:.4f}"
    assert printed.format(found.value, **found.details) == OFFICIAL_KITS19
    assert found.n == 3
    assert found.interval == pytest.approx((0.5921792, 0.6176024), abs=1e-4)  # the worst and the best case


def test_brats_prints_what_the_official_script_prints(data: Path) -> None:
    dataset = open_brats({"root": str(data / "brats")}, None, Path)
    responses = {index: noisy_scores(dataset.label(index), index).ravel() for index in range(2)}
    found = dice.score(responses, dataset.label, {"task": "brats"})
    named = ", ".join(f"{name} = {figure:.4f}" for name, figure in found.details.items())
    assert f"Accuracy: mean = {found.value:.5f}, {named}" == OFFICIAL_BRATS
    assert found.n == 2


def brats_truth(label: list[int]) -> dict[str, Any]:
    """A volume of one row, none of which is cropped."""
    return {
        "label": np.array(label, np.uint8)[None, None],
        "low": np.zeros(3, int),
        "size": np.array([1, 1, len(label)]),
        "padded": np.array([1, 1, len(label)]),
    }


def scores_of(classes: list[int]) -> Any:
    return np.eye(4, dtype=np.float16)[classes].T.ravel()


def test_a_region_that_nobody_has_does_not_count_in_brats() -> None:
    truths = [brats_truth([0, 1, 2]), brats_truth([3, 1, 2])]
    responses = {0: scores_of([0, 1, 2]), 1: scores_of([3, 3, 2])}
    found = dice.score(responses, truths.__getitem__, {"task": "brats"})
    assert found.details == {"whole tumor": 1.0, "tumor core": 0.9, "enhancing tumor": 0.6667}
    with pytest.raises(RunError, match="no case has any voxel of enhancing tumor"):
        dice.score({0: responses[0]}, truths.__getitem__, {"task": "brats"})


@pytest.mark.parametrize(
    ("task", "response", "truth", "said"),
    [
        ("kits19", [0, 1], np.zeros((1, 1, 3)), r"sample 0 has 2 voxels, and its label \[1, 1, 3\]"),
        ("kits19", [0, 3], np.zeros((1, 1, 2)), "sample 0 has the class 3"),
        ("kits19", [0, 1], None, "no sample of the data set has labels"),
        ("brats", [0, 1], brats_truth([0]), r"sample 0 has 2 numbers, and needs 4 x \[1, 1, 1\]"),
    ],
)
def test_what_cannot_be_compared_is_named(task: str, response: list[int], truth: Any, said: str) -> None:
    with pytest.raises(RunError, match=said):
        dice.score({0: np.array(response, np.uint8)}, lambda index: truth, {"task": task})


def test_one_case_has_no_interval() -> None:
    found = dice.score({0: np.array([1, 2], np.uint8)}, lambda index: np.array([[[1, 2]]]), {"task": "kits19"})
    assert found.value == pytest.approx(1.0)
    assert found.interval is None
