"""Grades, reasons and stretches over made-up samples."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.quality import CRITERIA, GRADES, grade
from mlharness.resources import resource_folder
from mlharness.telemetry import Sample

BY_NAME = {criterion.name: criterion for criterion in CRITERIA}


def quiet(start: float, **changes: Any) -> Sample:
    """A second in which nothing disturbed."""
    figures: dict[str, Any] = {"other_cpu": 0.01, "steal": 0.0, "throttled": 0.0, "clock_mhz": 3000.0, **changes}
    return Sample("measure", start, start + 1.0, **figures)


def graded(*samples: Sample) -> dict[str, Any]:
    found = grade(samples)
    assert found is not None
    return found


def test_a_quiet_run_is_an_a_without_reasons() -> None:
    assert graded(*map(quiet, range(10))) == {"grade": "A", "reasons": [], "stretches": [], "samples": 10}


@pytest.mark.parametrize("samples", [(), (Sample("measure", 0.0, 1.0, steal=0.0),)])
def test_without_the_cpu_of_others_there_is_no_grade(samples: tuple[Sample, ...]) -> None:
    assert grade(samples) is None


@pytest.mark.parametrize("name", ["other_cpu", "steal", "throttled", "swap_mib_s", "major_faults_s"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_bounds_are_inclusive_and_the_next_grade_begins_above(name: str, place: int) -> None:
    bound = BY_NAME[name].allowed[place]
    assert BY_NAME[name].grade(bound) == GRADES[place]
    assert BY_NAME[name].grade(bound * 1.001) == GRADES[place + 1]


@pytest.mark.parametrize(
    ("changes", "letter", "words"),
    [
        ({"other_cpu": 0.06}, "B", "other processes took 6 % of the usable cores (grade B; A allows 3 %)"),
        ({"other_cpu": 0.5}, "D", "other processes took 50 % of the usable cores (grade D; A allows 3 %)"),
        ({"steal": 0.1}, "C", "the hypervisor withheld 10 % of the CPU time (steal) (grade C; A allows 1 %)"),
        ({"throttled": 0.02}, "B", "the cgroup was throttled in 2 % of its periods (grade B; A allows 1 %)"),
        ({"swap_mib_s": 12.5}, "D", "the host swapped 12.5 MiB/s (grade D; A allows 0.1)"),
        ({"major_faults_s": 20}, "C", "20 pages a second from disk (major faults) (grade C; A allows 1)"),
        ({"gpu_foreign": 1}, "C", "1 other processes were on the GPU (grade C; A allows 0)"),
    ],
)
def test_each_disturbance_has_its_grade_and_its_figure(changes: dict[str, Any], letter: str, words: str) -> None:
    found = graded(*[quiet(second, **changes) for second in range(5)])
    assert found["grade"] == letter
    assert words in found["reasons"][0]


@pytest.mark.parametrize("name", ["clock_mhz", "gpu_clock_mhz"])
def test_a_falling_clock_is_held_against_its_highest(name: str) -> None:
    found = graded(*[quiet(second, **{name: mhz}) for second, mhz in enumerate((4000.0, 3000.0, 3000.0, 3000.0))])
    assert found["grade"] == "C"
    assert "clock was 18.8 % below its highest" in found["reasons"][0]


def test_a_short_burst_is_a_stretch_and_a_b_at_best() -> None:
    samples = [quiet(second, other_cpu=0.9 if second == 7 else 0.0) for second in range(40)]
    found = graded(*samples)
    assert found["grade"] == "B"
    (stretch,) = found["stretches"]
    assert (stretch["start_s"], stretch["end_s"]) == (7.0, 8.0)
    assert "90 % of the usable cores" in stretch["reasons"][0]
    assert found["reasons"] == ["1.0 s of 40.0 s were contaminated (grade B)"]


def test_more_than_a_tenth_of_contaminated_time_is_a_c() -> None:
    samples = [quiet(second, other_cpu=0.2 if second in (3, 4, 8) else 0.0) for second in range(20)]
    found = graded(*samples)
    assert found["grade"] == "C"
    assert [(stretch["start_s"], stretch["end_s"]) for stretch in found["stretches"]] == [(3.0, 5.0), (8.0, 9.0)]
    assert found["reasons"][-1] == "3.0 s of 20.0 s were contaminated (grade C)"


def test_a_stretch_of_several_causes_names_them() -> None:
    found = graded(*[quiet(0), quiet(1, steal=0.3), quiet(2, other_cpu=0.9), quiet(3)])
    (stretch,) = found["stretches"]
    assert (stretch["start_s"], stretch["end_s"]) == (1.0, 3.0)
    assert any("steal" in reason for reason in stretch["reasons"])
    assert any("other processes" in reason for reason in stretch["reasons"])


def test_a_long_sample_weighs_more_than_a_short_one() -> None:
    found = graded(Sample("measure", 0.0, 9.0, other_cpu=0.0), Sample("measure", 9.0, 10.0, other_cpu=0.5))
    assert "other processes took 5 % of the usable cores" in found["reasons"][0]


shares = st.none() | st.floats(0, 1)


@given(st.lists(st.tuples(st.floats(0, 1), shares, shares, st.none() | st.floats(1, 5000)), min_size=1, max_size=20))
def test_any_samples_have_a_grade_that_its_reasons_explain(rows: list[tuple[Any, ...]]) -> None:
    samples = [
        quiet(float(second), other_cpu=cpu, steal=steal, throttled=throttled, clock_mhz=mhz)
        for second, (cpu, steal, throttled, mhz) in enumerate(rows)
    ]
    found = graded(*samples)
    assert found["grade"] in GRADES
    assert bool(found["reasons"]) == (found["grade"] != "A")
    assert not found["stretches"] or found["grade"] != "A"
    assert all(stretch["reasons"] for stretch in found["stretches"])
    assert all(stretch["start_s"] < stretch["end_s"] for stretch in found["stretches"])


@pytest.mark.parametrize("others", [0.0, 0.9])
def test_the_result_schema_takes_it(others: float) -> None:
    whole = json.loads((resource_folder("schemas") / "result.v1.schema.json").read_text("utf-8"))
    jsonschema.validate(graded(quiet(0), quiet(1, other_cpu=others)), whole["properties"]["quality"])


def test_only_the_gpus_presence_has_no_d() -> None:
    assert [name for name, criterion in BY_NAME.items() if math.isinf(criterion.allowed[2])] == ["gpu_foreign"]
