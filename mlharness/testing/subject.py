"""What the suites share: the installed plugins, a provider among them, and the options that it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from mlharness.errors import PluginError, UserError
from mlharness.options import check_value, resolve_options
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import Array, Option
from mlharness.registrars import Registered, Shelf
from mlharness.testing.verdict import require

T = TypeVar("T")
P = TypeVar("P")
THREADS = 4


class Subject:
    """Base of every suite."""

    def plugins(self) -> Plugins:
        """The plugins among which the subject is looked for: all that are installed."""
        return build_manager()

    def find(self, plugins: Plugins, shelf: Shelf[P], name: str) -> Registered[P]:
        """The provider of that name. Raises PluginError that also names plugins which could not be loaded."""
        try:
            return shelf.find(name)
        except PluginError as error:
            raise plugins.explain(error) from error


def check_declared(what: str, declared: Sequence[Option]) -> None:
    """Raise NonconformanceError unless every option is documented and its default has the type that it declares."""
    where = "mlharness.providers.Option"
    for option in declared:
        require(
            bool(option.doc.strip()),
            f"{what}: option {option.name!r} has no doc.",
            "every option says what it does",
            where,
        )
        if option.default is None or option.required:
            continue
        try:
            check_value(what, option, option.default)
        except UserError as error:
            require(False, error.message, "a default is of the option's own type and among its choices", where)


def resolved(what: str, declared: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Given options over defaults, as a plan resolves them."""
    return resolve_options(what, declared, given)


def same(one: Sequence[Array], other: Sequence[Array], tolerance: float = 0.0) -> bool:
    """True when both hold equal arrays: same number, shapes and dtypes, values within a relative tolerance.

    NaN equals NaN. The tolerance is also taken of the largest value, since small results of large sums differ most.
    """
    if len(one) != len(other):
        return False
    return all(_equal(a, b, tolerance) for a, b in zip(one, other, strict=True))


def copied(arrays: Sequence[Array]) -> list[Array]:
    """Copies that no later call can change."""
    return [np.array(array, copy=True) for array in arrays]


def on_threads(function: Any, items: Sequence[T]) -> list[Any]:
    """``function`` of each item, called on several threads at once; raises what the first raised."""
    with ThreadPoolExecutor(THREADS, "conformance") as pool:
        return list(pool.map(function, items))


def _equal(one: Array, other: Array, tolerance: float) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc" or not one.size:
        return bool(np.array_equal(one, other))
    largest = float(np.nanmax(np.abs(one))) if np.isfinite(one).any() else 0.0
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance * largest, equal_nan=True))
