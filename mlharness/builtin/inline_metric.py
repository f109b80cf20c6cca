"""The metric ``python``: Python of the manifest itself that scores the responses, in the runner's verb *score* only."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from mlharness.builtin.inline_code import compile_inline, find_function
from mlharness.builtin.inline_dataset import failing
from mlharness.errors import RunError, UserError, did_you_mean
from mlharness.manifest.meaning import SCORE as ARGUMENTS
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness.stats import mean_interval

FIELDS = ("value", "n", "interval", "details")
OPTIONS = (
    Option("source", "string", "Python that defines score(responses, label, options).", required=True),
    Option("line", "integer", "The line of the manifest on which the source begins.", default=1),
    Option("unit", "string", "The unit of the figure.", default=""),
    Option("options", "object", "What score is given as its options.", default=None),
)
_REMEDY = "Return a number, a mapping {value, n, interval, details}, or one number for each sample."


def score_python(
    responses: Mapping[int, Array],
    label: Callable[[int], Any],
    options: Mapping[str, Any],
    *,
    filename: str = "<manifest>",
    namespace: types.ModuleType | None = None,
) -> Score:
    """The manifest's own Python, which needs trust: score(responses, label, options).

    ``responses`` are arrays by sample index, of the dtype and row shape that the manifest's ``response`` says;
    ``label(index)`` is a sample's ground truth, None without one; ``options`` are the manifest's. It returns a number;
    or a mapping with ``value``, and maybe ``n``, ``interval`` (two numbers) and ``details`` (numbers by name); or one
    number for each sample that counts, whose mean is the value, with a bootstrap interval.
    """
    with failing("the metric's Python", filename):
        module = compile_inline(options["source"], filename, options["line"], namespace)
    function = find_function(module, "score", ARGUMENTS, filename, options["line"])
    with failing(f"score({ARGUMENTS})", filename):
        found = function(responses, label, dict(options["options"] or {}))
    return to_score(found, options["unit"], len(responses), f"{filename}:{options['line']}")


def to_score(found: object, unit: str, count: int, where: str) -> Score:
    """What the manifest's ``score`` returned, as a score over at most ``count`` samples.

    Args:
        found: a number, a mapping, a Score, or one number for each sample.
        unit: of the figure.
        count: how many responses there are.
        where: the manifest and line, for messages.

    Raises:
        RunError: it is none of these.
    """
    if isinstance(found, Score):
        return found
    if isinstance(found, Mapping):
        return from_mapping(found, unit, count, where)
    if isinstance(found, Real) or (isinstance(found, np.ndarray) and found.ndim == 0):
        return Score(number(found, "score", where), unit, count, None)
    if isinstance(found, np.ndarray | Sequence) and not isinstance(found, str | bytes):
        return from_samples(found, unit, count, where)
    raise RunError(f"{where}: score({ARGUMENTS}) returned {type(found).__name__}", _REMEDY)


def from_mapping(found: Mapping[Any, Any], unit: str, count: int, where: str) -> Score:
    """A score from the fields that the manifest's Python gives. Raises RunError for what is no field, or no number."""
    for name in found:
        if name not in FIELDS:
            raise RunError(f"{where}: score({ARGUMENTS}) returned {name!r}", did_you_mean(str(name), FIELDS))
    if "value" not in found:
        raise RunError(f"{where}: score({ARGUMENTS}) returned no 'value'", _REMEDY)
    ends = found.get("interval")
    if ends is not None and (not isinstance(ends, Sequence | np.ndarray) or len(ends) != 2):
        raise RunError(f"{where}: score({ARGUMENTS}) returned the interval {ends!r}", "Give two numbers, or None.")
    return Score(
        number(found["value"], "value", where),
        unit,
        int(number(found.get("n", count), "n", where)),
        None if ends is None else (number(ends[0], "interval", where), number(ends[1], "interval", where)),
        {str(name): number(value, f"details[{name!r}]", where) for name, value in (found.get("details") or {}).items()},
    )


def from_samples(found: Array | Sequence[Any], unit: str, count: int, where: str) -> Score:
    """The mean of one number for each sample. Raises RunError for none, for more than samples, and for no numbers."""
    try:
        numbers = np.asarray(found, np.float64)
    except (TypeError, ValueError):
        numbers = np.empty((0, 0))
    if numbers.ndim != 1 or not 0 < len(numbers) <= count:
        raise RunError(f"{where}: score({ARGUMENTS}) returned no list of 1 to {count} numbers, one a sample", _REMEDY)
    return Score(float(numbers.mean()), unit, len(numbers), mean_interval(numbers))


def number(value: Any, what: str, where: str) -> float:
    """A number of whatever kind. Raises RunError for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise RunError(f"{where}: {what} is {value!r}, and must be a number", _REMEDY) from error


def response_python(options: Mapping[str, Any]) -> ResponseSpec:
    """Nobody can say but the manifest."""
    raise UserError("metric 'python': the manifest says what a response is", "Write response beside python.")
