"""Finds the Python that an environment is made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mlharness.environments.record import short
from mlharness.environments.tools import clean_environment
from mlharness.errors import UserError

_ASK = "import sys, venv; print('%d.%d.%d' % sys.version_info[:3])"
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?\Z")


def find_python(wished: str | None) -> tuple[Path, str]:
    """An interpreter and its full version.

    Args:
        wished: ``3.10``, ``3.10.13`` or the path of an interpreter; None for the one that runs mlh.

    Raises:
        UserError: there is none.
    """
    own = (Path(sys.executable), ".".join(map(str, sys.version_info[:3])))
    if wished is None:
        return own
    if os.sep in wished:
        return _asked(Path(wished), wished)
    if not _VERSION.match(wished):
        raise UserError(f"--python {wished!r} is no version of Python", "Write --python 3.10, or a path.")
    if own[1] == wished or short(own[1]) == wished:
        return own
    for path in candidates(wished):
        version = ask(path)
        if version and wished in (version, short(version)):
            return path.absolute(), version
    raise UserError(
        f"--python {wished}: no python{short(wished)} with venv is on PATH or in {pyenv() / 'versions'}",
        f"Install Python {short(wished)} (with pyenv: pyenv install {wished}), or give the path of an interpreter.",
    )


def candidates(wished: str) -> Iterator[Path]:
    """Interpreters that may be of that version: on PATH, then pyenv's, the newest first."""
    name = f"python{short(wished)}"
    # All of PATH: the first may be a shim of pyenv, which is there and does not work.
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if found := shutil.which(name, path=folder or os.curdir):
            yield Path(found)
    installed = (pyenv() / "versions").glob(f"{wished}*/bin/{name}")
    yield from sorted(installed, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])], reverse=True)


def pyenv() -> Path:
    """Where pyenv keeps its versions."""
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _asked(path: Path, wished: str) -> tuple[Path, str]:
    version = ask(path)
    if version is None:
        raise UserError(f"--python {wished}: this is no Python with venv", "Give the path of an interpreter.")
    return path.absolute(), version


def ask(path: Path) -> str | None:
    """The version of an interpreter that has the module venv; None when it is none, or does not work."""
    try:
        done = subprocess.run(
            [str(path), "-I", "-c", _ASK], capture_output=True, text=True, check=False, timeout=20,
            env=clean_environment(), stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
