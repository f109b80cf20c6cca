"""What a run's quality is made of: the criteria and their bounds, and the columns of telemetry.csv."""

from __future__ import annotations

import math
from dataclasses import fields

from generators.markdown import code, table
from mlharness.quality import CRITERIA, Criterion
from mlharness.telemetry import Sample

_COLUMNS = {
    "phase": "The runner's phase.",
    "start_s": "Begin of the sample, in seconds from the run's start.",
    "end_s": "Its end.",
    "other_cpu": "Share of the usable cores that other processes took, 0 to 1.",
    "steal": "Share of the wanted CPU time that the hypervisor gave to others, 0 to 1.",
    "throttled": "Share of the control group's periods in which it was throttled, 0 to 1.",
    "clock_mhz": "The highest clock of a usable core, of the first eight, at the end.",
    "swap_mib_s": "MiB a second that the host swapped, in and out.",
    "major_faults_s": "Pages a second that the run's processes waited for from disk.",
    "gpu_clock_mhz": "The GPU's SM clock at the end.",
    "gpu_foreign": "Other processes on the GPU at the end.",
    "samples_s": "Samples a second that the run got through; in the phase measure, those completed to LoadGen.",
}


def criteria() -> str:
    """One row per criterion with the most that each grade allows."""
    rows = [(item.words.format("x"), *(bound(item, most) for most in item.allowed)) for item in CRITERIA]
    return table(("x in", "A: at most", "B: at most", "C: at most"), rows)


def columns() -> str:
    """The columns of telemetry.csv. Raises KeyError for one that nobody has described."""
    return table(("column", "meaning"), [(code(field.name), _COLUMNS[field.name]) for field in fields(Sample)])


def bound(criterion: Criterion, most: float) -> str:
    """The most that a grade allows, in the criterion's unit."""
    return "any" if math.isinf(most) else criterion.write(most)
