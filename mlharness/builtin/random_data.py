"""The data-set kind ``random``: arrays of random numbers, for a model that has no data yet. Good for timing only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlharness import hookimpl
from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Array, Arrays, Option
from mlharness.registrars import DataSetRegistrar

OPTIONS = (
    Option(
        "arrays",
        "array",
        "The arrays of a sample, each {shape: [SIZE, ...], dtype: NAME, low: NUMBER, high: NUMBER}, without a batch "
        "axis. Numbers are at least low and below high: 0 and 1 if not given, for whole numbers 0 and 2.",
        required=True,
    ),
    Option("count", "integer", "How many samples there are.", default=64),
    Option("seed", "integer", "Of the random numbers: the same seed gives the same samples.", default=0),
)
_KEYS = ("shape", "dtype", "low", "high")
_WHAT = "data-set kind 'random'"


class RandomDataSet:
    """Samples that are drawn when they are asked for; none has a label."""

    def __init__(self, draws: Sequence[Callable[[np.random.Generator], Array]], count: int, seed: int) -> None:
        self._draws, self._count, self._seed = draws, count, seed

    def __len__(self) -> int:
        return self._count

    def check(self) -> None:
        """There are no files."""

    def sample(self, index: int) -> Arrays:
        """One array for each of the option ``arrays``; an index always gives the same numbers."""
        generator = np.random.default_rng((self._seed, index))
        return tuple(draw(generator) for draw in self._draws)

    def label(self, index: int) -> None:
        """Nobody knows."""


def open_random(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> RandomDataSet:
    """Open it. Raises UserError for an array that cannot be drawn."""
    draws = [make_draw(position, wanted) for position, wanted in enumerate(options["arrays"])]
    if not draws:
        raise UserError(f"{_WHAT}: arrays is empty", "List one {shape, dtype} for each input of the model.")
    if options["seed"] < 0:
        raise UserError(f"{_WHAT}: seed is {options['seed']}", "Write 0 or more.")
    most = max(options["count"], 0)
    return RandomDataSet(draws, most if count is None else min(count, most), options["seed"])


def make_draw(position: int, wanted: object) -> Callable[[np.random.Generator], Array]:
    """What draws one array. Raises UserError naming the entry of ``arrays``, counted from 0."""
    where = f"{_WHAT}: arrays[{position}]"
    if not isinstance(wanted, Mapping):
        raise UserError(f"{where} is {wanted!r}", "Write {shape: [3, 224, 224], dtype: float32}.")
    for key in wanted:
        if key not in _KEYS:
            raise UserError(f"{where} has no key {key!r}", did_you_mean(str(key), _KEYS))
    shape, dtype = check_shape(where, wanted.get("shape")), check_dtype(where, wanted.get("dtype", "float32"))
    low, high = wanted.get("low", 0), wanted.get("high", 1 if dtype.kind == "f" else 2)
    if not all(isinstance(bound, (int, float)) for bound in (low, high)) or not low < high:
        raise UserError(f"{where}: low is {low!r} and high is {high!r}", "Write two numbers, low below high.")
    if dtype.kind == "f":
        return lambda generator: generator.uniform(low, high, shape).astype(dtype)
    return lambda generator: generator.integers(int(low), int(high), shape).astype(dtype)


def check_shape(where: str, shape: object) -> tuple[int, ...]:
    """A shape of whole numbers of at least 1. Raises UserError for anything else."""
    if isinstance(shape, Sequence) and all(isinstance(size, int) and size > 0 for size in shape):
        return tuple(shape)
    raise UserError(f"{where}: shape is {shape!r}", "Write the sizes of one sample's axes, as [3, 224, 224].")


def check_dtype(where: str, dtype: object) -> np.dtype[Any]:
    """A dtype of numbers or truth values. Raises UserError for anything else."""
    found: np.dtype[Any]
    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]  # anything may stand in a manifest
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "biuf":
        raise UserError(f"{where}: dtype is {dtype!r}", "Write a dtype of NumPy for numbers, as float32 or int64.")
    return found


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    registrar.dataset("random", open=open_random, options=OPTIONS)
