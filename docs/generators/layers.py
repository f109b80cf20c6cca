"""The layers of the kernel, from the contract that import-linter enforces."""

from __future__ import annotations

import sys
from pathlib import Path

from generators.markdown import block

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def layers() -> str:
    """One line per layer, the highest first."""
    tool = tomllib.loads(PYPROJECT.read_text("utf-8"))["tool"]
    contract = next(contract for contract in tool["importlinter"]["contracts"] if contract["type"] == "layers")
    return block("text", "\n".join(line.replace("mlharness.", "") for line in contract["layers"]))
