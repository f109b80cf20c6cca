"""How far outputs may lie apart, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest

from mlharness.errors import UserError
from mlharness.providers import Array
from mlharness.verifying import (
    Answers,
    compare,
    default_tolerance,
    document,
    relative_difference,
    split_frameworks,
    top1_agreement,
)

LOGITS = np.array([[1.0, 5.0, -10.0], [2.0, 1.0, 0.0]], np.float32)


def answers(*outputs: Array, framework: str = "f") -> Answers:
    about = {"framework_version": "1", "parameters": 7, "multiply_adds": None, "samples": len(outputs[0])}
    return Answers(framework, about, outputs)


def test_the_difference_is_relative_to_the_largest_output_of_the_reference() -> None:
    other = LOGITS.copy()
    other[0, 0] += 0.5
    assert relative_difference(LOGITS, other) == pytest.approx(0.05)
    assert relative_difference(LOGITS, LOGITS) == 0.0


def test_what_is_not_finite_must_be_so_on_both_sides() -> None:
    broken = LOGITS.copy()
    broken[1, 1] = np.nan
    assert relative_difference(LOGITS, broken) == float("inf")
    assert relative_difference(broken, broken) == 0.0


def test_zeros_agree_with_zeros_only() -> None:
    zeros = np.zeros((2, 3), np.float32)
    assert relative_difference(zeros, zeros) == 0.0
    assert relative_difference(zeros, LOGITS) == float("inf")


def test_the_share_of_equal_winners() -> None:
    other = LOGITS[:, ::-1]
    assert top1_agreement(LOGITS, LOGITS) == 1.0
    assert top1_agreement(LOGITS, np.stack([LOGITS[0], other[1]])) == 0.5
    assert top1_agreement(LOGITS[:, :1], LOGITS[:, :1]) is None
    assert top1_agreement(LOGITS[0], LOGITS[0]) is None


def test_whole_numbers_must_be_equal_and_the_coarsest_dtype_decides() -> None:
    assert default_tolerance([np.zeros(1, np.int64)]) == 0.0
    assert default_tolerance([np.zeros(1, np.float32)]) == 1e-4
    assert default_tolerance([np.zeros(1, np.float32), np.zeros(1, np.float16)]) == 1e-2


@pytest.mark.parametrize(("shift", "holds"), [(0.0005, True), (0.01, False)])
def test_agreement_is_within_the_tolerance(shift: float, holds: bool) -> None:
    found = compare(answers(LOGITS), answers(LOGITS + np.float32(shift), framework="g"))
    assert (found.framework, found.holds, found.top1_agreement) == ("g", holds, 1.0)
    assert compare(answers(LOGITS), answers(LOGITS + np.float32(shift)), tolerance=1.0).holds


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (answers(LOGITS, LOGITS), "2 outputs, and the reference has 1"),
        (answers(LOGITS[:, :2]), "output 1 has the shape [2], and the reference's [3]"),
        (answers(LOGITS.astype(str)), "only numbers are compared"),
    ],
)
def test_what_cannot_be_compared_does_not_hold(other: Answers, problem: str) -> None:
    found = compare(answers(LOGITS), other)
    assert problem in found.problem
    assert not found.holds
    told = document(answers(LOGITS), [found])
    assert (told["holds"], told["frameworks"][0]["largest_difference"]) == (False, None)


def test_frameworks_are_split_at_commas_but_ranges_are_not() -> None:
    assert split_frameworks("onnxruntime, torch>=2,<3,mxnet") == ["onnxruntime", "torch>=2,<3", "mxnet"]
    with pytest.raises(UserError, match="nothing to compare"):
        split_frameworks("torch")
