"""A manifest's own Python, compiled with the manifest's file name and line numbers and run in a module of the run.

So a traceback points into the YAML.
"""

from __future__ import annotations

import ast
import traceback
import types
import warnings
from collections.abc import Callable
from typing import Any

from mlharness.errors import UserError

MODULE = "manifest_code"
"""The name of the module that a run's Python shares; it stands in no ``sys.modules``."""


def new_module() -> types.ModuleType:
    """An empty module for the Python of one run."""
    return types.ModuleType(MODULE)


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
    module = new_module() if namespace is None else namespace
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


def find_function(module: types.ModuleType, name: str, arguments: str, filename: str, line: int) -> Callable[..., Any]:
    """The function of that name that a block left in its module. Raises UserError when there is none."""
    function = module.__dict__.get(name)
    if not callable(function):
        raise UserError(f"{filename}:{line}: the block does not define {name}({arguments})", "Define that function.")
    checked: Callable[..., Any] = function
    return checked


def raised_at(error: BaseException) -> str:
    """``FILE:LINE`` of the manifest's own Python that raised an error, or called what did; empty when none did."""
    frames = traceback.walk_tb(error.__traceback__)
    inside = [(frame, line) for frame, line in frames if frame.f_globals.get("__name__") == MODULE]
    return f"{inside[-1][0].f_code.co_filename}:{inside[-1][1]}" if inside else ""
