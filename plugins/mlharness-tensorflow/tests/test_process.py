"""What TensorFlow keeps once per process: decided by the first load, and never silently something else."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from mlharness_tensorflow import process
from mlharness_tensorflow.process import ProcessSettings, import_tensorflow, settings_for, settle

from mlharness.cores import usable_cores
from mlharness.errors import UserError


def run(program: str) -> str:
    """What a process of its own prints."""
    begin = "from mlharness_tensorflow.process import *; from mlharness.errors import UserError\n"
    done = subprocess.run([sys.executable, "-c", begin + program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_threads_reach_tensorflow_and_its_log_is_quiet_but_for_errors() -> None:
    program = """
settle(settings_for("cpu", {"intra_op_num_threads": 3, "inter_op_num_threads": 4}))
tf = import_tensorflow()
threading = tf.config.threading
print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
print(os.environ["TF_CPP_MIN_LOG_LEVEL"], tf.get_logger().level == logging.ERROR)
"""
    assert run(program).split() == ["3", "4", "2", "True"]


def test_a_tensorflow_that_has_computed_takes_no_settings() -> None:
    program = """
import_tensorflow().constant(1.0)
try:
    settle(settings_for("cpu", {"intra_op_num_threads": 3}))
except UserError as error:
    print(error)
"""
    said = run(program)
    assert "TensorFlow was in use in this process before the model was loaded" in said
    assert "Let nothing else compute" in said


def test_mixed_precision_reaches_the_rewriter() -> None:
    program = """
settle(settings_for("cpu", {"mixed_precision": True}))
print(import_tensorflow().config.optimizer.get_experimental_options())
"""
    assert "'auto_mixed_precision_onednn_bfloat16': True" in run(program)


@pytest.mark.parametrize(
    ("device", "options", "named"),
    [
        ("cpu", {"intra_op_num_threads": 2}, "intra_op_num_threads is 1 and not 2"),
        ("cpu", {"intra_op_num_threads": 1, "inter_op_num_threads": 99}, "inter_op_num_threads is "),
        ("cpu", {"intra_op_num_threads": 1, "mixed_precision": True}, "mixed_precision is False and not True"),
    ],
)
def test_a_second_load_that_asks_for_something_else_is_refused(device: str, options: Any, named: str) -> None:
    """conftest settled one thread."""
    with pytest.raises(UserError, match="once per process") as caught:
        settle(settings_for(device, options))
    assert named in caught.value.message
    assert caught.value.remedy


def test_the_same_again_is_welcome_and_defaults_come_from_the_usable_cores() -> None:
    settle(settings_for("cpu", {"intra_op_num_threads": 1}))
    assert settings_for("cpu", {}) == ProcessSettings("cpu", 0, len(usable_cores()), False)


@pytest.mark.parametrize("name", ["intra_op_num_threads", "inter_op_num_threads"])
def test_a_negative_number_of_threads_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} is -1"):
        process._apply(import_tensorflow(), settings_for("cpu", {name: -1}))


@pytest.mark.parametrize("device", ["gpu", "cpu:0", "cuda:0", "cuda", "CPU", "", "cuda:x", "cuda:-1"])
def test_a_device_that_is_not_here(device: str) -> None:
    with pytest.raises(UserError, match=f"has no device {device!r} here") as caught:
        process.find_gpus(import_tensorflow(), device)
    assert caught.value.remedy.startswith("Devices here: cpu.")
    assert ("tensorflow[and-cuda]" in caught.value.remedy) == device.startswith("cuda")


class TestCuda:
    """What can be known without a GPU."""

    @pytest.fixture
    def calls(self) -> list[Any]:
        return []

    @pytest.fixture
    def tf(self, calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> Any:
        """A TensorFlow that finds two GPUs, and notes what it is told."""

        def note(name: str) -> Any:
            return lambda *arguments: calls.append((name, *arguments))

        threads = {f"set_{side}_op_parallelism_threads": note(side) for side in ("intra", "inter")}
        config = SimpleNamespace(
            list_physical_devices=lambda kind: ["gpu 0", "gpu 1"],
            set_visible_devices=note("visible"),
            experimental=SimpleNamespace(set_memory_growth=note("growth")),
            threading=SimpleNamespace(**threads),
            optimizer=SimpleNamespace(set_experimental_options=note("rewrite")),
        )
        made = SimpleNamespace(config=config, __version__="2.99", test=SimpleNamespace(is_built_with_cuda=lambda: True))
        monkeypatch.setattr(process, "import_tensorflow", lambda: made)
        return made

    @pytest.mark.parametrize(("device", "gpu"), [("cuda", "gpu 0"), ("cuda:0", "gpu 0"), ("cuda:1", "gpu 1")])
    def test_only_that_gpu_is_seen_and_its_memory_grows(self, tf: Any, calls: list[Any], device: str, gpu: str) -> None:
        process._apply(tf, ProcessSettings(device, 1, 2, True))
        assert calls == [
            ("visible", [gpu], "GPU"), ("growth", gpu, True), ("intra", 1), ("inter", 2),
            ("rewrite", {"auto_mixed_precision": True}),
        ]  # fmt: skip

    def test_the_cpu_sees_none(self, tf: Any, calls: list[Any]) -> None:
        process._apply(tf, ProcessSettings("cpu", 1, 2, False))
        assert calls[0] == ("visible", [], "GPU")

    def test_one_too_many(self, tf: Any) -> None:
        assert process.available_devices() == ["cpu", "cuda:0", "cuda:1"]
        with pytest.raises(UserError, match="'cuda:2'") as caught:
            process.find_gpus(tf, "cuda:2")
        assert caught.value.remedy == "Devices here: cpu, cuda:0, cuda:1."


def test_the_instruction_set_reaches_onednn() -> None:
    program = """
import sys
os.environ["ONEDNN_VERBOSE"] = "1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
from mlharness.onednn import limit_instructions
limit_instructions("sse41")
tf = import_tensorflow()
tf.nn.conv2d(tf.ones((1, 16, 16, 3)), tf.ones((3, 3, 3, 8)), 1, "SAME")
"""
    (line,) = [line for line in run(program).splitlines() if "cpu,isa:" in line]
    assert line.casefold().rstrip().endswith("sse4.1")
