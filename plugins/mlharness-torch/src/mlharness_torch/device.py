"""Devices and the threads of a process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import torch

from mlharness.errors import UserError

_INTER_OP = threading.Lock()


def available_devices() -> list[str]:
    """``cpu``, and ``cuda:N`` for each GPU that this build of PyTorch can use."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ["cpu", *(f"cuda:{number}" for number in range(count))]


def find_device(name: str) -> torch.device:
    """The device of that name; ``cuda`` means the first. Raises UserError for one that is not there."""
    here = available_devices()
    if name not in here and not (name == "cuda" and len(here) > 1):
        remedy = f"Devices here: {', '.join(here)}."
        if name.partition(":")[0] == "cuda":
            remedy += f" This PyTorch was built for CUDA {torch.version.cuda or '(none)'}: check driver and GPU."
        raise UserError(f"PyTorch {torch.__version__} has no device {name!r} here", remedy)
    return torch.device("cuda:0" if name == "cuda" else name)


def set_threads(options: Mapping[str, Any]) -> None:
    """Set the threads of the calling thread's operators, and the process's pool for forked parts.

    PyTorch's CPU builds take the threads inside an operator from OpenMP, which keeps the number, and a team of threads,
    for each thread that calls it: so every predictor sets its own, on its own thread.
    A new thread's first operator takes the number that was last set anywhere in the process. Asking for the number
    takes that step before it is set.

    Raises:
        UserError: a number below 1, or another pool for forked parts than the one that this process has.
    """
    for name in ("intra_op_num_threads", "inter_op_num_threads"):
        if options[name] is not None and options[name] < 1:
            raise UserError(f"framework 'torch': {name} is {options[name]}", "Give a number of threads from 1.")
    if options["intra_op_num_threads"] is not None:
        torch.get_num_threads()
        torch.set_num_threads(options["intra_op_num_threads"])
    if options["inter_op_num_threads"] is not None:
        _set_inter_op_threads(options["inter_op_num_threads"])


def _set_inter_op_threads(count: int) -> None:
    with _INTER_OP:  # PyTorch takes the number once in a process; predictors are loaded on several threads at once
        if torch.get_num_interop_threads() == count:
            return
        try:
            torch.set_num_interop_threads(count)
        except RuntimeError as error:
            found = torch.get_num_interop_threads()
            raise UserError(
                f"inter_op_num_threads is {count}, and this process has begun with {found}",
                "Give every predictor of a process the same number.",
            ) from error
