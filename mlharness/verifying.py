"""The equivalence gate: one model on several frameworks, the same inputs, and how far the outputs lie apart."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness import supervise
from mlharness.errors import UserError
from mlharness.providers import Array
from mlharness.request import Request
from mlharness.runner.job import Job, Message

TOLERANCES = {"float64": 1e-4, "float32": 1e-4, "float16": 1e-2}
"""The largest difference, relative to the largest output, that rounding explains, by the outputs' dtype."""
SAMPLES = 16
"""How many samples are compared when the user does not say."""


@dataclass(frozen=True)
class Answers:
    """What a model answered on one framework: ``outputs``, one array each with the samples first, and who answered."""

    framework: str
    about: Message
    outputs: tuple[Array, ...]


@dataclass(frozen=True)
class Agreement:
    """How far one framework's outputs lie from the reference's.

    ``largest_difference`` is relative to the reference's largest output; ``top1_agreement`` is the share of samples
    (0 to 1) whose largest value stands at the same place in the first output, None when it is no row of numbers.
    ``problem`` says why the two cannot be compared at all.
    """

    framework: str
    version: str
    parameters: int | None
    multiply_adds: int | None
    largest_difference: float | None
    top1_agreement: float | None
    tolerance: float
    problem: str = ""

    @property
    def holds(self) -> bool:
        """True when the difference is within the tolerance."""
        return self.largest_difference is not None and self.largest_difference <= self.tolerance


def answer(request: Request, samples: int, watch: supervise.Watch) -> Answers:
    """Load the model of a request in a runner and let it answer the first samples.

    Raises:
        UserError, RunError: the model cannot be fetched, loaded or run.
    """
    with tempfile.TemporaryDirectory(prefix="mlharness-") as folder:
        log, outputs = Path(folder) / "runner.log", Path(folder) / "outputs.npz"
        plan = request.plan(request.fetch(watch, log))
        job = Job("inspect", request.blocked, plan, directory=folder, outputs=str(outputs), samples=samples)
        about = supervise.run(job, watch, log, plan.host.interpreter).one("answered")
        with np.load(outputs, allow_pickle=False) as archive:
            return Answers(plan.framework.name, about, tuple(archive[name] for name in archive.files))


def compare(reference: Answers, other: Answers, tolerance: float | None = None) -> Agreement:
    """Compare all outputs, in order. ``tolerance`` None: that of the coarser dtype of :data:`TOLERANCES`."""
    problem = incomparable(reference.outputs, other.outputs)
    limit = default_tolerance((*reference.outputs, *other.outputs)) if tolerance is None else tolerance
    pairs = () if problem else tuple(zip(reference.outputs, other.outputs, strict=True))
    return Agreement(
        other.framework,
        other.about["framework_version"],
        other.about["parameters"],
        other.about["multiply_adds"],
        max(relative_difference(one, two) for one, two in pairs) if pairs else None,
        top1_agreement(*pairs[0]) if pairs else None,
        limit,
        problem,
    )


def incomparable(reference: Sequence[Array], other: Sequence[Array]) -> str:
    """Why outputs cannot be compared; empty when they can."""
    if len(reference) != len(other):
        return f"{len(other)} outputs, and the reference has {len(reference)}"
    for number, (one, two) in enumerate(zip(reference, other, strict=True), start=1):
        if one.shape != two.shape:
            return f"output {number} has the shape {list(two.shape[1:])}, and the reference's {list(one.shape[1:])}"
        if one.dtype.kind not in "biuf" or two.dtype.kind not in "biuf":
            return f"output {number} is {two.dtype}, and only numbers are compared"
    return "" if reference else "there are no outputs"


def relative_difference(reference: Array, other: Array) -> float:
    """The largest difference over the largest absolute value of the reference; infinite where only one is finite."""
    one, two = reference.astype(np.float64), other.astype(np.float64)
    if not np.array_equal(np.isfinite(one), np.isfinite(two)):
        return float("inf")
    finite = np.isfinite(one)
    difference = float(np.max(np.abs(one[finite] - two[finite]), initial=0.0))
    scale = float(np.max(np.abs(one[finite]), initial=0.0))
    return difference / scale if scale else (0.0 if not difference else float("inf"))


def top1_agreement(reference: Array, other: Array) -> float | None:
    """The share of samples whose largest value stands at the same place; None unless each has a row of numbers."""
    if reference.ndim != 2 or reference.shape[1] < 2 or not len(reference):
        return None
    return float(np.mean(reference.argmax(axis=1) == other.argmax(axis=1)))


def default_tolerance(outputs: Sequence[Array]) -> float:
    """The tolerance of the coarsest dtype among the outputs; whole numbers must be equal."""
    return max((TOLERANCES.get(output.dtype.name, 0.0) for output in outputs), default=0.0)


def document(reference: Answers, agreements: Sequence[Agreement]) -> dict[str, Any]:
    """The comparison as plain JSON data; a difference that is infinite is null."""
    return {
        "reference": {
            "framework": reference.framework,
            "version": reference.about["framework_version"],
            "parameters": reference.about["parameters"],
            "multiply_adds": reference.about["multiply_adds"],
        },
        "samples": reference.about["samples"],
        "frameworks": [row(agreement) for agreement in agreements],
        "holds": all(agreement.holds for agreement in agreements),
    }


def row(agreement: Agreement) -> dict[str, Any]:
    """One framework's comparison."""
    difference = agreement.largest_difference
    return {
        "framework": agreement.framework,
        "version": agreement.version,
        "parameters": agreement.parameters,
        "multiply_adds": agreement.multiply_adds,
        "largest_difference": difference if difference is not None and np.isfinite(difference) else None,
        "top1_agreement": agreement.top1_agreement,
        "tolerance": agreement.tolerance,
        "holds": agreement.holds,
        "problem": agreement.problem or None,
    }


def split_frameworks(text: str) -> list[str]:
    """The frameworks of ``--frameworks A,B[,C ...]``. Raises UserError unless there are two.

    A range may hold commas itself (``torch>=2,<3``): what does not begin with a letter belongs to the one before.
    """
    found: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if found and not part[0].isalpha():
            found[-1] += f",{part}"
        else:
            found.append(part)
    if len(found) < 2:
        raise UserError(f"--frameworks {text!r}: there is nothing to compare", "Give two: --frameworks A,B.")
    return found
