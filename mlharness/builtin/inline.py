"""The step ``python``: Python of the manifest itself, run in the runner, in a module that belongs to the run.

The code is compiled with the manifest's file name and line numbers, so that a traceback points into the YAML. All
blocks of a manifest share one module: what ``preprocess`` leaves in a global, ``postprocess`` sees.
"""

from __future__ import annotations

import ast
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from mlharness import hookimpl
from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness.registrars import StepRegistrar

InlineFunction = Callable[[Context, Any], Any]
Stage = Literal["preprocess", "postprocess"]


def compile_inline(
    source: str, filename: str, line: int, namespace: types.ModuleType | None = None
) -> types.ModuleType:
    """Run a block of a manifest's Python once, in a module.

    Args:
        source: the block.
        filename: the manifest, for tracebacks.
        line: the 1-based line of the manifest on which the block begins.
        namespace: the module of the manifest's other blocks; None makes a new one. It stands in no ``sys.modules``,
            and lives as long as something refers to it.

    Raises:
        UserError: the block does not parse, or imports a package that is not installed.
        Exception: whatever the block itself raises.
    """
    module = types.ModuleType("manifest_code") if namespace is None else namespace
    module.__file__ = filename
    code = compile_at(source, filename, line)
    try:
        exec(code, module.__dict__)  # noqa: S102  # the step's purpose; planning has asked for trust
    except ModuleNotFoundError as error:
        raise UserError(
            f"{filename}: its Python needs the package {error.name!r}, which is not installed",
            f"Install it, and name it under requires in the manifest. ({error})",
        ) from error
    return module


def compile_at(source: str, filename: str, line: int) -> types.CodeType:
    """The code of a block whose first line is that line of the file. Raises UserError when it does not parse."""
    try:
        with warnings.catch_warnings():
            # Lines in warnings of the compiler would be those of the block, not of the file.
            warnings.simplefilter("ignore")
            tree = ast.parse(source, filename)
            return compile(ast.increment_lineno(tree, line - 1), filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        at = line + max(error.lineno or 1, 1) - 1
        raise UserError(f"{filename}:{at}: {error.msg}", "Correct the manifest's Python.") from error
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes; nested deeper than the compiler goes
        raise UserError(
            f"{filename}:{line}: {str(error) or type(error).__name__}", "Correct the manifest's Python."
        ) from error


def make_python(
    source: str,
    line: int = 1,
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
    """
    module = compile_inline(source, filename, line, namespace)
    function = module.__dict__.get(stage)
    if not callable(function):
        raise UserError(f"{filename}:{line}: the block does not define {stage}(ctx, data)", "Define that function.")
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
    registrar.step("python", make_python, parameters=(source, line), serial=True)
