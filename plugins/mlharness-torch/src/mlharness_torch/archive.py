"""Whether a ``.pt2`` file holds tensors and operators only, asked before PyTorch loads it.

``torch.export.load`` itself trusts its file: it unpickles objects, evaluates the expressions of shapes as Python, finds
operators by attribute, and opens compiled libraries. Each of these is looked at here first.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mlharness.errors import UserError

_REMEDY = "Export the model again without it, or use another format."
_NATIVE = re.compile(r"(^|/)data/(aotinductor|executorch|mtia)/|\.(so|dll|dylib|o)\Z")
_OBJECT = re.compile(r"(custom|opaque)_obj_")
_TOKEN = re.compile(
    r"\s*(?:([A-Za-z_]\w*)|\d+(?:\.\d+)?(?:e[+-]?\d+)?|'(?:[a-z]{1,3}\d+|-?\d+(?:\.\d*)?)'|[-+*/%(),<>=!&|~])", re.ASCII
)
_SYMBOL = re.compile(r"[a-z]{1,3}\d+\Z", re.ASCII)
_FUNCTIONS = frozenset(
    [
        "Max",
        "Min",
        "Mod",
        "PythonMod",
        "FloorDiv",
        "CeilDiv",
        "CleanDiv",
        "ModularIndexing",
        "Where",
        "Identity",
        "Abs",
        "floor",
        "ceiling",
        "sqrt",
        "oo",
        "zoo",
        "int_oo",
        "Eq",
        "Ne",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "And",
        "Or",
        "Not",
        "True",
        "False",
        "true",
        "false",
        "CeilToInt",
        "FloorToInt",
        "TruncToInt",
        "TruncToFloat",
        "RoundToInt",
        "RoundDecimal",
        "ToFloat",
        "FloatPow",
        "FloatTrueDiv",
        "IntTrueDiv",
        "PowByNatural",
        "LShift",
        "RShift",
        "Symbol",
        "Integer",
        "Rational",
        "Float",
        "Add",
        "Mul",
        "Pow",
        "positive",
        "negative",
        "nonnegative",
        "nonpositive",
        "nonzero",
        "zero",
        "integer",
        "real",
        "finite",
        "even",
        "odd",
        "precision",
        "evaluate",
    ]  # 30 quoted words are hard to read
)
_ARITHMETIC = frozenset(
    [
        "getitem",
        "add",
        "sub",
        "mul",
        "floordiv",
        "truediv",
        "mod",
        "pow",
        "neg",
        "pos",
        "abs",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "and_",
        "or_",
        "not_",
        "xor",
        "lshift",
        "rshift",
    ]  # 30 quoted words are hard to read
)
_MATH = frozenset(["ceil", "floor", "trunc", "sqrt", "pow", "log", "exp"])
_ONE_AT_A_TIME = threading.Lock()


def check_archive(path: Path) -> None:
    """Raise UserError when a ``.pt2`` file holds more than tensors, operators of PyTorch and shapes."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise _refused(path, "two members of one name")
            for name in names:
                if _NATIVE.search(name):
                    raise _refused(path, f"compiled code ({name})")
                if name.endswith(".json"):
                    check_document(path, json.loads(archive.read(name)))
    except (zipfile.BadZipFile, ValueError, OSError, RecursionError) as error:
        raise UserError(f"{path.name} is damaged: {error}", "Save or download it again.") from error


def check_document(path: Path, document: Any) -> None:
    """Raise UserError for an object, operator or expression of a JSON document that could do more than compute."""
    for key, text in _strings(document):
        if key == "path_name" and _OBJECT.match(text):
            raise _refused(path, f"a pickled object ({text})")
        if key == "target" and not is_operator(text):
            raise _refused(path, f"a call of {text!r}")
        if key == "expr_str" and not is_shape(text):
            raise _refused(path, f"the expression {text!r}")


def is_operator(target: str) -> bool:
    """True for an operator of PyTorch's dispatcher, or arithmetic of Python on sizes."""
    head, *parts = target.split(".")
    if head in ("_operator", "math"):
        return len(parts) == 1 and parts[0] in (_ARITHMETIC if head == "_operator" else _MATH)
    if head != "torch" or not parts:
        return False
    found: Any = torch
    for part in parts:
        found = getattr(found, part, None)
    if parts[0] == "ops":
        return isinstance(found, torch._ops.OperatorBase)
    return len(parts) == 1 and bool(re.match(r"_?sym_\w+\Z", parts[0])) and callable(found)


def is_shape(text: str) -> bool:
    """True for arithmetic on symbols of sizes (s0, u1) with functions that PyTorch's shapes are made of.

    SymPy, which reads them, has Python's own functions at hand, too; and a text could be evaluated in its turn.
    """
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or (token[1] and token[1] not in _FUNCTIONS and not _SYMBOL.match(token[1])):
            return False
        position = token.end()
    return True


@contextlib.contextmanager
def weights_only() -> Iterator[None]:
    """While it lasts, every torch.load of this process refuses code, whatever its caller asks for."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    with _ONE_AT_A_TIME:
        before = os.environ.get(name)
        os.environ[name] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


def _strings(document: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string that is a mapping's value, with its key."""
    if isinstance(document, str):
        yield key, document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield from _strings(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from _strings(value, "")


def _refused(path: Path, what: str) -> UserError:
    return UserError(f"{path.name} holds {what}, and is not loaded", _REMEDY)
