"""What TensorFlow keeps once per process: its import, its thread pools, the devices it sees, how it rewrites graphs.

TensorFlow takes these only before it computes for the first time. So the first load decides them for the process, and
a later load that asks for something else is refused instead of being measured with what it did not ask for.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from mlharness.cores import usable_cores
from mlharness.errors import UserError

_LOCK = threading.Lock()


@dataclass(frozen=True)
class ProcessSettings:
    """What the first load decides for the process; 0 leaves a number of threads to TensorFlow."""

    device: str
    intra_op_num_threads: int
    inter_op_num_threads: int
    mixed_precision: bool


@lru_cache(maxsize=1)
def import_tensorflow() -> Any:
    """The module ``tensorflow``, whose log is quiet except for errors. Raises ImportError when it is not there."""
    # Read once, when the library is loaded: 2 leaves errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # A user's keras.json may name another backend, whose models TensorFlow could not run.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow

    tensorflow.get_logger().setLevel(logging.ERROR)
    return tensorflow


@lru_cache(maxsize=1)
def import_keras() -> Any:
    """The module ``keras`` on TensorFlow. Raises UserError when this process already runs it on something else."""
    import_tensorflow()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"Keras runs on {keras.backend.backend()} in this process", "Import no Keras before the model is loaded."
        )
    return keras


def settings_for(device: str, options: Mapping[str, Any]) -> ProcessSettings:
    """The settings that a load asks for."""
    return ProcessSettings(
        device,
        options.get("intra_op_num_threads") or 0,
        options.get("inter_op_num_threads") or len(usable_cores()),
        bool(options.get("mixed_precision")),
    )


def settle(asked: ProcessSettings) -> None:
    """Decide the process's settings, or hold them against what was decided.

    Raises:
        UserError: no such device, a negative number of threads, other settings than an earlier load's, or a TensorFlow
            that has computed before.
    """
    tf = import_tensorflow()
    with _LOCK:
        if not _settled:
            _apply(tf, asked)
            _settled.append(asked)
    if _settled[0] != asked:
        first, now = asdict(_settled[0]), asdict(asked)
        different = ", ".join(
            f"{key} is {first[key]!r} and not {now[key]!r}" for key in first if first[key] != now[key]
        )
        raise UserError(
            f"TensorFlow keeps these once per process, as the first model decided: {different}",
            "Give every model of one process the same settings.",
        )


_settled: list[ProcessSettings] = []
"""Empty, or what the process runs with: TensorFlow itself has this state, and cannot tell all of it."""


def available_devices() -> list[str]:
    """``cpu``, and ``cuda:N`` for every GPU that TensorFlow finds."""
    return ["cpu", *(f"cuda:{number}" for number in range(len(_gpus(import_tensorflow()))))]


def _gpus(tf: Any) -> list[Any]:
    return list(tf.config.list_physical_devices("GPU"))


def _apply(tf: Any, asked: ProcessSettings) -> None:
    """Hand the settings to TensorFlow."""
    visible = find_gpus(tf, asked.device)
    for name in ("intra_op_num_threads", "inter_op_num_threads"):
        if getattr(asked, name) < 0:
            raise UserError(f"{name} is {getattr(asked, name)}", "Give a number from 1.")
    try:
        tf.config.set_visible_devices(visible, "GPU")
        for gpu in visible:
            # Otherwise TensorFlow takes all the memory of the GPU at once.
            tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.threading.set_intra_op_parallelism_threads(asked.intra_op_num_threads)
        tf.config.threading.set_inter_op_parallelism_threads(asked.inter_op_num_threads)
        if asked.mixed_precision:
            key = "auto_mixed_precision_onednn_bfloat16" if asked.device == "cpu" else "auto_mixed_precision"
            tf.config.optimizer.set_experimental_options({key: True})
    except RuntimeError as error:
        raise UserError(
            f"TensorFlow was in use in this process before the model was loaded: {error}",
            "Let nothing else compute with TensorFlow in this process, as the Python of a manifest may.",
        ) from error


def find_gpus(tf: Any, device: str) -> list[Any]:
    """The one GPU of a device, or none for the CPU. Raises UserError for a device that is not there."""
    if device == "cpu":
        return []
    kind, _, number = device.partition(":")
    gpus = _gpus(tf)
    index = int(number) if number.isdecimal() else -1 if number else 0
    if kind == "cuda" and 0 <= index < len(gpus):
        return [gpus[index]]
    remedy = f"Devices here: {', '.join(available_devices())}."
    if kind == "cuda" and not tf.test.is_built_with_cuda():
        remedy += " For CUDA: pip uninstall tensorflow-cpu && pip install 'tensorflow[and-cuda]'."
    raise UserError(f"TensorFlow {tf.__version__} has no device {device!r} here", remedy)
