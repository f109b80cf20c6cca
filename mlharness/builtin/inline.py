"""The step, data-set kind and metric ``python``: Python of the manifest itself, in the runner, in a module of the run.

The code is compiled with the manifest's file name and line numbers, so that a traceback points into the YAML. All
blocks of a manifest share one module: what ``preprocess`` leaves in a global, ``postprocess`` sees.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from mlharness import hookimpl
from mlharness.builtin import inline_dataset, inline_metric, published
from mlharness.builtin.inline_code import compile_inline, find_function
from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness.registrars import DataSetRegistrar, MetricRegistrar, StepRegistrar

InlineFunction = Callable[[Context, Any], Any]
Stage = Literal["preprocess", "postprocess"]


def make_python(
    source: str,
    line: int = 1,
    convention: str = "arrays",
    *,
    stage: Stage,
    filename: str = "<manifest>",
    namespace: types.ModuleType | None = None,
) -> StepFunction:
    """The manifest's own Python, which needs trust: preprocess(ctx, data) or postprocess(ctx, data).

    ``ctx`` is {"attributes", "options", "sample_indices"}. ``preprocess`` gets one sample, without a batch axis: its
    array, or a tuple of its arrays when there are several; it returns an array, or a tuple of one array per input.
    ``postprocess`` gets the list of a batch's output arrays, batch axis first; it returns one entry per sample, in
    order: anything that NumPy makes an array of, or text or bytes, which become uint8. Arrays keep their dtype.
    With the convention ``published``, ``preprocess`` gets the sample's index as text, and what ``postprocess`` returns
    becomes flat float32.
    """
    module = compile_inline(source, filename, line, namespace)
    function = find_function(module, stage, "ctx, data", filename, line)
    if convention == "published":
        return published.adapt_preprocess(function) if stage == "preprocess" else published.adapt_postprocess(function)
    return adapt_preprocess(function) if stage == "preprocess" else adapt_postprocess(function)


def adapt_preprocess(function: InlineFunction) -> StepFunction:
    """A step of one sample from a manifest's ``preprocess``."""

    def preprocess(arrays: Arrays, context: Context) -> Arrays:
        result = function(context, arrays[0] if len(arrays) == 1 else arrays)
        parts = result if isinstance(result, tuple) else (result,)
        if not parts:
            raise UserError("preprocess(ctx, data) returned an empty tuple", "Return an array, or a tuple of arrays.")
        return tuple(to_array(part, "preprocess") for part in parts)

    return preprocess


def adapt_postprocess(function: InlineFunction) -> StepFunction:
    """A step of a batch from a manifest's ``postprocess``.

    Entries of one dtype and shape become one array with the batch axis first; others stay one array per sample.
    """

    def postprocess(arrays: Arrays, context: Context) -> Arrays | Array:
        rows = to_rows(function(context, list(arrays)), len(context["sample_indices"]))
        if len({(row.dtype, row.shape) for row in rows}) == 1:
            return np.stack(rows)
        return tuple(rows)

    return postprocess


def to_rows(result: object, count: int) -> list[Array]:
    """What ``postprocess`` returned as one array per sample. Raises UserError when it is not one entry per sample."""
    if isinstance(result, str | bytes) or not isinstance(result, Sequence | np.ndarray):
        kind = type(result).__name__
        raise UserError(f"postprocess(ctx, data) returned {kind}", "Return a list of one entry per sample.")
    if len(result) != count:
        raise UserError(
            f"postprocess(ctx, data) returned {len(result)} entries for {count} samples",
            "Return one entry per sample, in the order of the batch.",
        )
    return [to_array(entry, "postprocess") for entry in result]


def to_array(value: object, function: str) -> Array:
    """One array; text becomes its UTF-8 bytes. Raises UserError for what has no bytes of its own."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return np.frombuffer(value, np.uint8)
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.empty(0, np.object_)
    if array.dtype.kind in "OUSV":
        raise UserError(
            f"{function}(ctx, data) gave {type(value).__name__} that is no array of numbers",
            "Return arrays of numbers with a fixed dtype, or text.",
        )
    return array


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    source = Option("source", "string", "Python that defines preprocess or postprocess.", required=True)
    line = Option("line", "integer", "The line of the manifest on which the source begins.", default=1)
    convention = Option(
        "convention", "string", "What the functions get and return.", default="arrays", choices=("arrays", "published")
    )
    registrar.step("python", make_python, parameters=(source, line, convention), serial=True)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    registrar.dataset("python", open=inline_dataset.open_python, options=inline_dataset.OPTIONS)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    registrar.metric(
        "python",
        score=inline_metric.score_python,
        response=inline_metric.response_python,
        options=inline_metric.OPTIONS,
    )
