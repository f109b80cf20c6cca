"""Nothing of mlharness or its plugins loads a pickle, which is a program that runs when it is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in (ROOT / "mlharness", *ROOT.glob("plugins/*/src")) for path in folder.rglob("*.py")
)  # fmt: skip
PICKLERS = frozenset({"pickle", "_pickle", "cPickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"})
LOADERS = {
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
}
"""Calls that read a pickle unless this argument says otherwise; the argument must stand there."""
READERS = frozenset({"read_pickle"})
ALLOWED = {"plugins/mlharness-torch/src/mlharness_torch/weights.py": {"pickle"}}
"""Modules by file, each with its reason: weights.py names the error that torch raises for a pickle which it refuses."""


def offences(tree: ast.AST) -> Iterator[str]:
    """What in a module reads pickles, or could."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"imports {alias.name}" for alias in node.names if alias.name.partition(".")[0] in PICKLERS)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PICKLERS:
            yield f"imports {node.module}"
        elif isinstance(node, ast.Call):
            yield from offence_of(node)


def offence_of(call: ast.Call) -> Iterator[str]:
    """What is wrong with one call."""
    name = ast.unparse(call.func)
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    if name.rpartition(".")[2] in READERS or given.get("allow_pickle", "False") != "False":
        yield f"line {call.lineno}: {name} reads pickles"
    if name in LOADERS:
        argument, value = LOADERS[name]
        if given.get(argument) != str(value):
            yield f"line {call.lineno}: {name} without {argument}={value}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_reads_pickles(path: Path) -> None:
    allowed = {f"imports {name}" for name in ALLOWED.get(path.relative_to(ROOT).as_posix(), ())}
    assert set(offences(ast.parse(path.read_text("utf-8")))) - allowed == set()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import pickle", "imports pickle"),
        ("from joblib import load", "imports joblib"),
        ("np.load(path)", "line 1: np.load without allow_pickle=False"),
        ("np.load(path, allow_pickle=maybe)", "line 1: np.load reads pickles"),
        ("torch.load(path, 'cpu')", "line 1: torch.load without weights_only=True"),
        ("torch.load(path, weights_only=False)", "line 1: torch.load without weights_only=True"),
        ("pandas.read_pickle(path)", "line 1: pandas.read_pickle reads pickles"),
    ],
)
def test_an_offence_is_found(code: str, said: str) -> None:
    assert said in set(offences(ast.parse(code)))


def test_what_is_allowed_is_still_needed() -> None:
    for path, names in ALLOWED.items():
        found = set(offences(ast.parse((ROOT / path).read_text("utf-8"))))
        assert {f"imports {name}" for name in names} <= found, path


def test_numpy_refuses_objects_as_it_is_called_here(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", evil=np.array([object], object))
    with np.load(tmp_path / "evil.npz", allow_pickle=False) as archive, pytest.raises(ValueError, match="pickle"):
        archive["evil"]
