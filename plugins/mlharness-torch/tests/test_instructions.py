"""The option max_cpu_isa reaches oneDNN, which says so itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from conftest import script

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from mlharness.plugins import build_manager
from mlharness.providers import Model, TensorSpec

provider = build_manager().catalog.frameworks.find("torch").provider
options = {option.name: option.default for option in provider.options} | {"max_cpu_isa": sys.argv[2] or None}
spec = TensorSpec("input", "float32", (None, 3, 96, 96))
model = Model("one", (Path(sys.argv[1]),), (spec,), (), {})
provider.load(model, "cpu", options).predict({"input": np.zeros((1, 3, 96, 96), np.float32)})
"""


def used(model: Path, wanted: str) -> str:
    """oneDNN's own line about its instruction set."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(model), wanted], env=environment, capture_output=True, text=True, check=True
    )
    return next(line for line in done.stdout.splitlines() if "cpu,isa:" in line).casefold()


def test_it_limits_what_onednn_uses(tmp_path: Path) -> None:
    model = script(torch.nn.Conv2d(3, 8, 3), tmp_path / "model.pt")
    assert used(model, "sse41").rstrip().endswith("sse4.1")
    assert not used(model, "").rstrip().endswith("sse4.1")
