"""The data-set kind ``python``: a data set that is Python of its manifest, in the module of the run's other Python.

Its functions are those of the published MLHarness data-set manifests. What they leave in globals, the model's Python
sees: a list ``dataset`` of paths, most of the time.
"""

from __future__ import annotations

import operator
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlharness.builtin.inline_code import compile_inline, find_function, new_module, raised_at
from mlharness.errors import PLUGIN_RAISES, MlharnessError, RunError, UserError
from mlharness.manifest.meaning import FUNCTIONS
from mlharness.providers import Arrays, Option

OPTIONS = (
    Option(
        "init",
        "string",
        "Python that defines init(count), which returns how many samples there are; count is --count, or 0 for all.",
        required=True,
    ),
    Option("load", "string", "Python that defines load(sample_list), called before these samples are preprocessed."),
    Option("unload", "string", "Python that defines unload(sample_list), called when they are no longer needed."),
    Option("sample", "string", "Python that defines sample(index): the sample's array, or a tuple of its arrays."),
    Option("label", "string", "Python that defines label(index): the ground truth, as the metric expects it."),
)


class PythonDataSet:
    """An opened data set; see :class:`mlharness.providers.LoadingDataSet`.

    Args:
        functions: of the manifest, by the names of ``FUNCTIONS``.
        count: the most samples to use; None means all.
        filename: the manifest, for messages.

    Raises:
        UserError: ``init`` does not return a number of samples.
        RunError: ``init`` raises.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]], count: int | None, filename: str) -> None:
        self._functions, self._filename = functions, filename
        self._one_at_a_time = threading.Lock()
        found = self._call("init", count or 0)
        try:
            available = operator.index(found)
        except TypeError:
            available = -1
        if available < 0:
            line = getattr(getattr(functions["init"], "__code__", None), "co_firstlineno", 1)
            raise UserError(
                f"{filename}:{line}: init(count) returned {found!r}, and must return how many samples there are",
                "Return a whole number, 0 or more.",
            )
        self._count = available if count is None else min(count, available)

    def __len__(self) -> int:
        return self._count

    def check(self) -> None:
        """What the files are, only the manifest's Python knows."""

    def load(self, indices: Sequence[int]) -> None:
        """Tell the manifest's Python that these samples will be preprocessed. Raises RunError when it raises."""
        self._call("load", list(indices))

    def unload(self, indices: Sequence[int]) -> None:
        """Tell the manifest's Python that it may forget these samples. Raises RunError when it raises."""
        self._call("unload", list(indices))

    def sample(self, index: int) -> Arrays:
        """What ``sample(index)`` returns, one call at a time. Raises UserError without that function."""
        if "sample" not in self._functions:
            raise UserError("the data set has no sample(index)", "Add it to the options in its manifest.")
        with self._one_at_a_time:
            found = self._call("sample", index)
        return found if isinstance(found, tuple) else (found,)

    def label(self, index: int) -> Any:
        """What ``label(index)`` returns; None without that function."""
        return self._call("label", index)

    def _call(self, name: str, argument: Any) -> Any:
        if name not in self._functions:
            return None
        with failing(f"{name}({FUNCTIONS[name]}) of the data set", self._filename):
            return self._functions[name](argument)


def open_python(
    options: Mapping[str, Any],
    count: int | None,
    locate: Callable[[str], Path],
    *,
    namespace: types.ModuleType | None = None,
    filename: str = "<manifest>",
    lines: Mapping[str, int] | None = None,
) -> PythonDataSet:
    """Run the blocks of a data set's manifest once, and its ``init``.

    Args:
        options: the source of each block, by the names of ``FUNCTIONS``; None or empty for one that is not there.
        count: the most samples to use; None means all.
        locate: not called; the Python finds its files itself, under the environment variable DATA_DIR.
        namespace: the module of the run's other Python; None makes a new one.
        filename: the manifest, for tracebacks.
        lines: of the manifest, on which each block begins.

    Raises:
        UserError: a block that does not parse, lacks its function, or imports what is not installed.
        RunError: a block or ``init`` raises.
    """
    module = new_module() if namespace is None else namespace
    functions = {}
    for name, argument in FUNCTIONS.items():
        if source := options.get(name):
            line = (lines or {}).get(name, 1)
            with failing("the data set's Python", filename):
                compile_inline(source, filename, line, module)
            functions[name] = find_function(module, name, argument, filename, line)
    return PythonDataSet(functions, count, filename)


@contextmanager
def failing(what: str, filename: str) -> Iterator[None]:
    """What the manifest's own Python raises is a failed run, told with the manifest's line."""
    try:
        yield
    except MlharnessError:
        raise
    except PLUGIN_RAISES as error:
        raise RunError(
            f"{raised_at(error) or filename}: {what} failed: {type(error).__name__}: {error}",
            "The run directory's runner.log has the trace.",
        ) from error
