"""What every metric plugin must hold to."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.manifest.files import locate_options
from mlharness.providers import Array, MetricProvider, ResponseSpec, Score
from mlharness.testing.effort import lines_run, package_of
from mlharness.testing.growth import require_no_growth
from mlharness.testing.subject import Subject, check_declared, resolved
from mlharness.testing.verdict import raised_by, require, require_user_error

_METRIC = "mlharness.providers.MetricProvider"
_SCORE = "mlharness.providers.ScoreResponses"


class MetricConformance(Subject):
    """Checks one metric on responses whose score is known. Set ``metric`` and ``expected``, and give both sides.

    ``expected`` is the score's value, within ``tolerance`` of it. ``most_lines`` is the most lines of the plugin's
    own Python for each response.
    """

    metric: str = ""
    options: Mapping[str, Any] = {}
    expected: float = math.nan
    tolerance: float = 1e-9
    most_lines: int = 100

    def make_responses(self) -> Mapping[int, Array]:
        """Some responses by sample index, of the dtype and row shape that the metric reads back."""
        raise NotImplementedError("say what to score: define make_responses(self)")

    def label(self, index: int) -> Any:
        """The ground truth of one sample, as a data set gives it."""
        raise NotImplementedError("say what is right: define label(self, index)")

    def provider(self) -> MetricProvider:
        """The metric as its plugin registers it."""
        plugins = self.plugins()
        return self.find(plugins, plugins.catalog.metrics, self.metric).provider

    def resolved_options(self) -> dict[str, Any]:
        """The options over their defaults, and files found as in a run, paths from this folder."""
        declared = self.provider().options
        found = resolved(f"metric {self.metric!r}", declared, self.options)
        return locate_options(found, declared, Path.cwd(), self.plugins().catalog)

    def logged(self) -> dict[int, Array]:
        """The responses as they come out of LoadGen's log: read-only arrays over bytes."""
        responses = self.make_responses()
        return {index: np.frombuffer(row.tobytes(), row.dtype).reshape(row.shape) for index, row in responses.items()}

    def score(self, responses: Mapping[int, Array] | None = None) -> Score:
        """Score as the runner does."""
        found = self.logged() if responses is None else responses
        return self.provider().score(found, self.label, self.resolved_options())

    def test_it_is_registered_and_described(self) -> None:
        """A docstring, and options that are documented."""
        provider = self.provider()
        check_declared(f"metric {self.metric!r}", provider.options)
        require(
            bool(provider.doc),
            f"metric {self.metric!r}: score has no docstring.",
            "the docstring of score says what the figure means",
            _METRIC,
        )

    def test_the_response_is_as_declared(self) -> None:
        """``response`` names a dtype and a row shape, and the given responses have them."""
        spec: Any = self.provider().response(self.resolved_options())
        known = isinstance(spec, ResponseSpec) and raised_by(lambda: np.dtype(spec.dtype)) is None
        require(
            known,
            f"metric {self.metric!r}: response gives {spec!r}.",
            "response gives a ResponseSpec with NumPy's name of a dtype",
            _METRIC,
        )
        for index, row in self.make_responses().items():
            sizes = len(spec.shape) == row.ndim and all(
                size in (None, real) for size, real in zip(spec.shape, row.shape, strict=True)
            )
            require(
                sizes and row.dtype == np.dtype(spec.dtype),
                f"metric {self.metric!r} declares {spec}, and response {index} is {row.dtype} {list(row.shape)}.",
                "responses have the metric's dtype and row shape",
                _METRIC,
            )

    def test_the_score_is_right(self) -> None:
        """Value, number of samples, unit and interval."""
        found, count = self.score(), len(self.make_responses())
        require(
            isinstance(found, Score),
            f"metric {self.metric!r} returns {type(found).__name__}.",
            "score returns a Score",
            _SCORE,
        )
        right = math.isclose(found.value, self.expected, rel_tol=self.tolerance, abs_tol=self.tolerance)
        require(
            right,
            f"metric {self.metric!r} gives {found.value!r}.",
            f"the value that is known for these responses, {self.expected!r}",
            "expected in the test",
        )
        require(
            0 < found.n <= count,
            f"metric {self.metric!r}: n is {found.n} for {count} responses.",
            "n is the number of samples that were scored",
            "mlharness.providers.Score",
        )
        require(
            isinstance(found.unit, str),
            f"metric {self.metric!r}: unit is {found.unit!r}.",
            "unit is text, empty for a plain number",
            "mlharness.providers.Score",
        )
        if found.interval is not None:
            low, high = found.interval
            require(
                low <= found.value <= high,
                f"metric {self.metric!r}: {found.value} is not in its interval {found.interval}.",
                "a 95 % interval around the value",
                "mlharness.providers.Score",
            )

    def test_the_same_responses_give_the_same_score(self) -> None:
        """Twice, and in another order: LoadGen logs samples as they finish."""
        backwards = dict(reversed(self.logged().items()))
        first, again, turned = self.score(), self.score(), self.score(backwards)
        require(first == again, f"metric {self.metric!r} gives {first} and {again}.", "score is deterministic", _SCORE)
        close = math.isclose(first.value, turned.value, rel_tol=1e-9, abs_tol=1e-12) and first.n == turned.n
        require(
            close,
            f"metric {self.metric!r} gives {first}, and {turned} in another order.",
            "the order of responses means nothing",
            _SCORE,
        )

    def test_responses_stay_as_they_were(self) -> None:
        """They are read-only, and so is their mapping for the metric."""
        responses = self.logged()
        before = list(responses)
        self.score(responses)
        require(
            list(responses) == before,
            f"metric {self.metric!r} changes the mapping of responses.",
            "score only reads what it is given",
            _SCORE,
        )

    def test_no_thread_is_left_running(self) -> None:
        """A metric may use threads, and ends them."""
        before = set(threading.enumerate())
        self.score()
        left = [thread.name for thread in threading.enumerate() if thread not in before]
        require(
            not left,
            f"metric {self.metric!r} leaves threads behind: {left}.",
            "score ends every thread that it starts",
            _SCORE,
        )

    def test_a_thousand_scores_leak_nothing(self) -> None:
        """Neither memory nor files nor threads."""
        score, responses, options = self.provider().score, self.logged(), self.resolved_options()
        require_no_growth(
            f"metric {self.metric!r}",
            "score keeps nothing of a call",
            _SCORE,
            partial(score, responses, self.label, options),
        )

    def test_nothing_to_score_is_an_error(self) -> None:
        """No response at all, or no label: there is no figure, and no invented one."""
        score, options = self.provider().score, self.resolved_options()
        asks = "score raises RunError or UserError when there is nothing to score"
        require_user_error(
            f"metric {self.metric!r} on no response", asks, _SCORE, lambda: score({}, self.label, options)
        )
        unlabelled = lambda index: None  # noqa: E731  # a label for every sample: none
        require_user_error(
            f"metric {self.metric!r} without labels", asks, _SCORE, lambda: score(self.logged(), unlabelled, options)
        )

    def test_overhead_grows_with_the_responses_at_most(self) -> None:
        """The plugin's own Python runs few lines for each response."""
        score, responses, options = self.provider().score, self.logged(), self.resolved_options()
        lines = lines_run(lambda: score(responses, self.label, options), package_of(score))
        allowed = self.most_lines * max(1, len(responses))
        require(
            lines <= allowed,
            f"metric {self.metric!r} runs {lines} lines of Python for {len(responses)} responses.",
            f"at most {self.most_lines} lines a response: a data set has many",
            _SCORE,
        )
