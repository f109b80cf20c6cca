"""A fingerprint of a model's outputs on fixed samples: by it, two runs of "the same" model that disagree are found."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlharness.likeness import PROJECTIONS
from mlharness.providers import Array
from mlharness.runner.worker import Worker
from mlharness.tensors import fixed_batch

SAMPLES = 4
_ANGLE = math.pi * (3 - math.sqrt(5))
"""The golden angle: its multiples never repeat, so that no two places of an output weigh the same."""


def fingerprint(worker: Worker, samples: int) -> dict[str, Any]:
    """The fingerprint over the first samples of the data set; call it on the worker's thread.

    Args:
        worker: warmed up, with the samples loaded.
        samples: how many of the first samples; they are loaded.

    Returns:
        ``samples``: how many were used; ``sha256`` over dtype, shape and bytes of every output, equal only when all
        are equal to the bit; ``sketch``: per sample, :data:`PROJECTIONS` numbers for each output, which move little
        when outputs do, so that :mod:`mlharness.likeness` can tell rounding from another model.
    """
    exact, sketch = hashlib.sha256(), []
    size = fixed_batch(worker.inputs[0]) or 1
    for index in range(samples):
        outputs = worker.outputs_of([index] * size)
        # a model that takes one sample at a time may give any number of rows for it
        rows = [output[0] if len(output) == size else output for output in outputs]
        for row in rows:
            exact.update(f"{row.dtype}{row.shape}".encode() + np.ascontiguousarray(row).tobytes())
        sketch.append(project(rows))
    return {"samples": samples, "sha256": exact.hexdigest(), "sketch": sketch}


def project(rows: Sequence[Array]) -> list[float]:
    """Each output's values weighed by cosines, as many numbers as :data:`PROJECTIONS`; non-finite values count as 0."""
    numbers = []
    for row in rows:
        values = np.nan_to_num(np.asarray(row, np.float64).ravel(), posinf=0.0, neginf=0.0)
        places = np.arange(1, len(values) + 1)
        scale = math.sqrt(max(1, len(values)))
        numbers += [float(values @ np.cos(places * _ANGLE * k)) / scale for k in range(1, PROJECTIONS + 1)]
    return numbers
