"""The line of a result that tells its quality."""

from __future__ import annotations

from mlharness.cli.summary import quality

REASON = "other processes took 50 % of the usable cores (grade D; A allows 3 %)"


def test_an_a_is_an_a() -> None:
    assert quality({"grade": "A", "reasons": [], "stretches": [], "samples": 10}) == "A"


def test_reasons_and_disturbed_seconds_follow_the_grade() -> None:
    stretches = [{"start_s": 4.2, "end_s": 6.9, "reasons": [REASON]}, {"start_s": 9.0, "end_s": 10.0, "reasons": []}]
    found = quality({"grade": "D", "reasons": [REASON, "more"], "stretches": stretches, "samples": 10})
    assert found == f"D: {REASON}; more; disturbed: 4-7 s, 9-10 s"
