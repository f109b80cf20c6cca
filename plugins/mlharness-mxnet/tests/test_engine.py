"""Settings of the process: engine, threads, what else can be chosen."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Load
from mlharness_mxnet import engine

from mlharness.errors import UserError

PROGRAM = """
import json, sys
import numpy as np
from pathlib import Path
from mlharness.options import resolve_options
from mlharness.providers import Model, TensorSpec
from mlharness_mxnet import plugin
files = tuple(Path(path) for path in sys.argv[2:])
options = resolve_options("mxnet", plugin.OPTIONS, json.loads(sys.argv[1]))
predictor = plugin.load(Model("tiny", files, (TensorSpec("x", "float32", (None, 4)),)), "cpu", options)
print(json.dumps(predictor.predict({"x": np.ones((2, 4), np.float32)})[0].tolist()))
"""


def in_new_process(files: tuple[Path, ...], options: dict[str, Any], program: str = PROGRAM) -> Any:
    command = [sys.executable, "-c", program, json.dumps(options), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "options",
    [
        {"engine": "threaded", "threads": 2, "worker_threads": 2, "bulk": False},
        {"engine": "naive", "wait_policy": "active", "threads": 2, "subgraph_backend": "NONE"},
    ],
)
def test_every_engine_gives_the_same(linear: tuple[Path, Path], load: Load, options: dict[str, Any]) -> None:
    (here,) = load(linear).predict({"x": np.ones((2, 4), np.float32)})
    there = in_new_process(linear, options)
    assert there.returncode == 0, there.stderr
    np.testing.assert_allclose(json.loads(there.stdout), here, rtol=1e-5)


def test_the_other_engine_in_the_same_process_is_refused(linear: tuple[Path, Path], load: Load) -> None:
    load(linear)
    with pytest.raises(UserError, match="another engine than 'threaded'"):
        load(linear, engine="threaded")


def test_code_that_used_mxnet_before_is_found_out(linear: tuple[Path, Path]) -> None:
    before = "import warnings\nwarnings.simplefilter('ignore')\nimport mxnet\nmxnet.nd.ones((1,)).wait_to_read()\n"
    done = in_new_process(linear, {"engine": "naive"}, before + PROGRAM)
    assert "MXNET_ENGINE_TYPE=NaiveEngine" in done.stderr


def test_several_settings_are_read_when_the_libraries_are_loaded(linear: tuple[Path, Path]) -> None:
    tell = "import os\nprint({key: os.environ[key] for key in ('OMP_NUM_THREADS', 'OMP_WAIT_POLICY')})\n"
    done = in_new_process(linear, {"threads": 2, "wait_policy": "active"}, PROGRAM + tell)
    assert "{'OMP_NUM_THREADS': '2', 'OMP_WAIT_POLICY': 'active'}" in done.stdout


@pytest.mark.parametrize(("name", "value"), [("threads", -1), ("worker_threads", 0)])
def test_numbers_of_threads_are_checked(linear: tuple[Path, Path], load: Load, name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{name} is {value}"):
        load(linear, **{name: value})


def test_fusing_changes_nothing_but_rounding(linear: tuple[Path, Path], load: Load) -> None:
    x = {"x": np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)}
    (fused,), (plain,) = (load(linear, subgraph_backend=name).predict(x) for name in ("MKLDNN", "NONE"))
    np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (AttributeError("module 'numpy' has no attribute 'bool'"), "installed NumPy", "mlharness-mxnet[framework]"),
        (OSError("libquadmath.so.0: no such file"), "libquadmath", "apt install"),
        (ImportError("No module named 'mxnet'"), "cannot be imported", "mlharness-mxnet[framework]"),
    ],
)
def test_an_mxnet_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str, remedy: str
) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any) -> Any:
        if name == "mxnet":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(UserError, match=message) as raised:
        engine.import_mxnet()
    assert remedy in raised.value.remedy


def test_the_environment_of_this_process_names_the_engine(mx: Any) -> None:
    assert os.environ["MXNET_ENGINE_TYPE"] == "NaiveEngine"
