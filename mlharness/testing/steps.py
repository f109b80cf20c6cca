"""What every step plugin must hold to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from mlharness.manifest.files import locate_options
from mlharness.providers import Array, Arrays, Context, StepFunction, StepProvider
from mlharness.runner.pipeline import as_tuple
from mlharness.testing.effort import lines_run, package_of
from mlharness.testing.growth import require_no_growth
from mlharness.testing.subject import Subject, check_declared, copied, on_threads, resolved, same
from mlharness.testing.verdict import raised_by, require, require_user_error

_STEP = "mlharness.providers.StepProvider"
_CALLS = 32


class StepConformance(Subject):
    """Checks one step with one set of parameters. Set ``step`` and ``gives``, and say what arrays it gets.

    ``gives`` is the dtype and shape of each array that comes out for :meth:`make_arrays` (None: any size), with the
    batch axis first for a batch step. ``bad_parameters`` are those that ``make`` must refuse. ``attributes`` are the
    manifest's, as ``ctx`` carries them. ``most_lines`` is the most lines of the plugin's own Python in one call.
    """

    step: str = ""
    parameters: Mapping[str, Any] = {}
    gives: tuple[tuple[str, tuple[int | None, ...]], ...] = ()
    bad_parameters: Sequence[Mapping[str, Any]] = ()
    attributes: Mapping[str, Any] = {}
    most_lines: int = 200

    def make_arrays(self) -> Arrays:
        """What the step gets: the arrays of a sample, or for a batch step of three samples or more."""
        raise NotImplementedError("say what the step gets: define make_arrays(self)")

    def bad_arrays(self) -> Sequence[Arrays]:
        """What the step must refuse, whatever it raises, beside no array at all: a wrong rank, shape or dtype."""
        return ()

    def other_arrays(self) -> Arrays:
        """Arrays of another sample, of the same shapes: by default the first ones upside down."""
        return tuple(np.ascontiguousarray(array[::-1]) for array in self.make_arrays())

    def provider(self) -> StepProvider:
        """The step as its plugin registers it."""
        plugins = self.plugins()
        return self.find(plugins, plugins.catalog.steps, self.step).provider

    def make(self, parameters: Mapping[str, Any] | None = None) -> StepFunction:
        """The step's function, its parameters resolved and its files found as in a run, paths from this folder."""
        provider = self.provider()
        given = self.parameters if parameters is None else parameters
        found = resolved(f"step {self.step!r}", provider.parameters, given)
        return provider.make(**locate_options(found, provider.parameters, Path.cwd(), self.plugins().catalog))

    def context(self) -> Context:
        """What the runner tells a step of a call."""
        count = len(self.make_arrays()[0]) if self.provider().batch else 1
        return {"attributes": dict(self.attributes), "options": {}, "sample_indices": list(range(count))}

    def call(self, function: StepFunction, arrays: Arrays) -> Arrays:
        """One call as the runner makes it."""
        return as_tuple(function(arrays, self.context()))

    def test_it_is_registered_and_described(self) -> None:
        """Docstring and parameters are what ``mlh`` and the manifest's author read."""
        provider = self.provider()
        check_declared(f"step {self.step!r}", provider.parameters)
        word = "Batch step:" if provider.batch else "Sample step:"
        require(
            provider.doc.startswith(word),
            f"step {self.step!r} says: {provider.doc[:60]!r}",
            f"the docstring of make begins with {word!r}, then dtypes and shapes",
            _STEP,
        )

    def test_results_are_as_declared(self) -> None:
        """Number, dtype and shape of what comes out are those of ``gives``."""
        require(
            bool(self.gives),
            f"step {self.step!r}: gives is empty.",
            'say what comes out, as gives = (("float32", (3, None)),)',
            "mlharness.testing.StepConformance",
        )
        out: tuple[Any, ...] = self.call(self.make(), self.make_arrays())
        arrays = [array for array in out if isinstance(array, np.ndarray)]
        require(
            len(arrays) == len(out),
            f"step {self.step!r} returns {[type(item).__name__ for item in out]}.",
            "a step returns one array or a tuple of arrays",
            _STEP,
        )
        found = [(str(array.dtype), array.shape) for array in arrays]
        fits = len(found) == len(self.gives) and all(map(_fits, arrays, self.gives))
        require(
            fits,
            f"step {self.step!r} gives {found}.",
            f"dtype and shape as declared: {list(self.gives)}",
            "the step's docstring, and gives in the test",
        )

    def test_the_same_arrays_give_the_same_result(self) -> None:
        """In one function, and in one that is made anew."""
        function = self.make()
        first = copied(self.call(function, self.make_arrays()))
        again = copied(self.call(function, self.make_arrays()))
        anew = copied(self.call(self.make(), self.make_arrays()))
        alike = same(first, again) and same(first, anew)
        require(alike, f"step {self.step!r} gives two results for the same arrays.", "a step is deterministic", _STEP)

    def test_a_result_outlives_the_next_call(self) -> None:
        """Nothing is written into a buffer that the step keeps."""
        if self.provider().serial:
            return
        function = self.make()
        kept = self.call(function, self.make_arrays())
        before = copied(kept)
        self.call(function, self.other_arrays())
        require(
            same(before, kept),
            f"step {self.step!r}: a later call changes an earlier result.",
            "a step that is not serial keeps no state",
            _STEP,
        )

    def test_its_arrays_and_context_stay_as_they_were(self) -> None:
        """They belong to the data set or the sample library."""
        arrays, context = self.make_arrays(), self.context()
        before = copied(arrays)
        self.make()(arrays, context)
        require(
            same(before, arrays),
            f"step {self.step!r} writes into its arrays.",
            "a step only reads the arrays that it is given",
            _STEP,
        )
        require(
            context == self.context(),
            f"step {self.step!r} changes its context.",
            "a step only reads its context",
            _STEP,
        )

    def test_threads_do_not_disturb_it(self) -> None:
        """Samples are preprocessed on several threads at once, unless the step is serial."""
        if self.provider().serial:
            return
        function = self.make()
        both = (self.make_arrays(), self.other_arrays())
        alone = [copied(self.call(function, arrays)) for arrays in both]
        asks = "a step that is not serial works on several threads at once"
        try:
            found = on_threads(lambda turn: self.call(function, both[turn % 2]), range(_CALLS))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the plugin's
            found = []
            require(False, f"step {self.step!r} raises {type(error).__name__} on other threads: {error}", asks, _STEP)
        right = all(same(alone[turn % 2], out) for turn, out in enumerate(found))
        require(right, f"step {self.step!r} gives other results on several threads.", asks, _STEP)

    def test_a_thousand_calls_leak_nothing(self) -> None:
        """Neither memory nor files nor threads."""
        function, arrays, context = self.make(), self.make_arrays(), self.context()
        require_no_growth(
            f"step {self.step!r}", "a step keeps nothing of a call", _STEP, partial(function, arrays, context)
        )

    def test_bad_parameters_are_user_errors(self) -> None:
        """The message is what the manifest's author reads, before anything is measured."""
        if self.provider().parameters and not self.bad_parameters:
            raise SkipTest("no bad parameters are given: set bad_parameters")
        for parameters in self.bad_parameters:
            require_user_error(
                f"step {self.step!r}: making it with {dict(parameters)!r}",
                "make raises UserError for parameters that cannot be",
                _STEP,
                partial(self.make, parameters),
            )

    def test_bad_arrays_are_refused(self) -> None:
        """A sample that cannot be processed fails the run; it is not replaced by something else."""
        function, bad = self.make(), self.bad_arrays()
        for arrays in ((), *bad):
            error = raised_by(partial(self.call, function, arrays))
            found = [f"{array.dtype} {list(array.shape)}" for array in arrays]
            require(
                error is not None,
                f"step {self.step!r} accepts bad arrays: {found or 'none at all'}.",
                "a step raises when it cannot do what it says",
                _STEP,
            )
        if not bad:
            raise SkipTest("no bad arrays are given: define bad_arrays(self), with a wrong rank, shape or dtype")

    def test_overhead_is_bounded(self) -> None:
        """The plugin's own Python runs few lines in a call, and for a larger batch no more of them."""
        provider, function, arrays = self.provider(), self.make(), self.make_arrays()
        # A wrapper from another package, as functools.partial, says nothing of who wrote the step.
        packages = {package_of(function), package_of(provider.make)} - {"functools"}

        def lines(of: Arrays) -> int:
            context = self.context()
            if provider.batch and of:
                context["sample_indices"] = list(range(len(of[0])))
            return max(lines_run(partial(function, of, context), package) for package in packages)

        few = lines(arrays)
        require(
            few <= self.most_lines,
            f"step {self.step!r} runs {few} lines of Python in a call.",
            f"at most {self.most_lines} lines: no loop over values",
            _STEP,
        )
        if provider.batch:
            many = lines(tuple(np.repeat(array, 4, axis=0) for array in arrays))
            added = 3 * len(arrays[0])
            require(
                many - few < added // 2,
                f"step {self.step!r} runs {few} lines for {len(arrays[0])} samples and {many} for four times as many.",
                "a batch step has no loop over samples",
                _STEP,
            )


def _fits(array: Array, given: tuple[str, tuple[int | None, ...]]) -> bool:
    dtype, shape = given
    sizes = len(shape) == array.ndim and all(
        size in (None, real) for size, real in zip(shape, array.shape, strict=True)
    )
    return sizes and array.dtype == np.dtype(dtype)
