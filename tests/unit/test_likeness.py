"""Two fingerprints are the same, or differ as rounding does, or are of two models."""

from __future__ import annotations

from typing import Any

import pytest

from mlharness.likeness import compare, sketch_difference


def fingerprint(sha256: str, *sketch: list[float]) -> dict[str, Any]:
    return {"samples": len(sketch), "sha256": sha256 * 64, "sketch": list(sketch)}


FIRST = fingerprint("a", [100.0, -50.0, 1.0, 0.5, 0.2, -0.1], [90.0, 0.0, 0.0, 0.4, 0.0, 0.0])


def test_the_same_to_the_bit_is_not_worth_a_word() -> None:
    assert compare(FIRST, dict(FIRST)) == ("", True)


@pytest.mark.parametrize(
    ("place", "value", "alike"),
    [
        ((0, 0), 100.5, True),
        ((0, 0), 102.0, False),
        ((0, 2), 1.9, True),  # small beside the output's largest number
        ((1, 3), 0.404, True),
        ((1, 3), 0.41, False),  # of the second output, whose numbers are small
    ],
)
def test_each_output_has_a_scale_of_its_own(place: tuple[int, int], value: float, alike: bool) -> None:
    sketch = [list(numbers) for numbers in FIRST["sketch"]]
    sketch[place[0]][place[1]] = value
    found, close = compare(FIRST, fingerprint("b", *sketch), "run 7")
    assert close is alike
    assert "differ from those of run 7" in found
    assert "a" * 16 in found
    assert "b" * 16 in found


def test_bits_that_the_sketch_does_not_show_count_as_rounding() -> None:
    found, close = compare(FIRST, {**FIRST, "sha256": "b" * 64})
    assert close
    assert "no more than rounding" in found


def test_zeros_and_something_else_are_two_models() -> None:
    zeros = fingerprint("a", [0.0, 0.0, 0.0])
    assert compare(zeros, fingerprint("b", [0.0, 1e-9, 0.0]))[1] is False
    assert compare(zeros, fingerprint("b", [0.0, 0.0, 0.0]))[1] is True


@pytest.mark.parametrize("sketch", [[], [[1.0] * 3], [[1.0] * 3] * 2])
def test_other_numbers_of_outputs_or_samples_cannot_be_compared(sketch: list[list[float]]) -> None:
    assert sketch_difference(FIRST["sketch"], sketch) is None
    found, close = compare(FIRST, fingerprint("b", *sketch))
    assert not close
    assert "differ in number, more than rounding" in found
    assert sketch_difference([], []) == 0.0
