"""The step ``example.centre`` holds to the contract, and computes what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mlharness_example.steps import make_centre

from mlharness.providers import Arrays
from mlharness.testing import StepConformance


class TestCentre(StepConformance):
    step = "example.centre"
    parameters: Mapping[str, Any] = {"middle": 2}
    bad_parameters = ({}, {"middle": "high"})
    gives = (("float32", (3,)),)

    def make_arrays(self) -> Arrays:
        return (np.arange(3, dtype=np.int64),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array(["text"]),)]


def test_the_middle_becomes_zero() -> None:
    (found,) = make_centre(2.0)((np.array([1, 2, 4]),), {})
    assert found.tolist() == [-1.0, 0.0, 2.0]
