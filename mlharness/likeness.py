"""Holds fingerprints of outputs against each other: "the same" model has the same one, but for rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PROJECTIONS = 3
"""How many numbers stand for each output of a sample in a fingerprint's sketch."""
ROUNDING = 0.01
"""The largest difference of sketches that rounding explains, relative to an output's largest number: that of float16,
as in ``mlh verify``, since a fingerprint does not say which dtype its outputs have."""
_SHOWN = 16
"""How many characters of a digest are shown; the results hold all 64."""

Fingerprint = Mapping[str, Any]


def compare(first: Fingerprint, later: Fingerprint, of: str = "") -> tuple[str, bool]:
    """What to tell of two fingerprints of what should be one model, and whether rounding explains the difference.

    Args:
        first: the one seen first.
        later: the other.
        of: where the first one was seen, for the message.

    Returns:
        Empty and true when they are the same to the bit.
    """
    if first["sha256"] == later["sha256"]:
        return "", True
    difference = sketch_difference(first["sketch"], later["sketch"])
    close = difference is not None and difference <= ROUNDING
    how = "in number" if difference is None else f"by {100 * difference:.2g} % of the largest"
    judged = "no more than rounding explains" if close else "more than rounding explains"
    whose = f" from those of {of}" if of else ""
    digests = " and then ".join(f"{found['sha256'][:_SHOWN]}..." for found in (first, later))
    return f"the outputs on the same samples differ{whose} {how}, {judged}: fingerprint {digests}", close


def sketch_difference(first: Sequence[Sequence[float]], later: Sequence[Sequence[float]]) -> float | None:
    """The largest difference, relative to the largest number of the same output; None where the forms differ."""
    if [len(numbers) for numbers in first] != [len(numbers) for numbers in later]:
        return None
    worst = 0.0
    for start in range(0, len(first[0]) if first else 0, PROJECTIONS):
        pairs = [
            pair
            for one, other in zip(first, later, strict=True)
            for pair in zip(one[start : start + PROJECTIONS], other[start : start + PROJECTIONS], strict=True)
        ]
        largest = max(abs(number) for pair in pairs for number in pair)
        worst = max(worst, max(abs(one - other) for one, other in pairs) / (largest or 1.0))
    return worst
