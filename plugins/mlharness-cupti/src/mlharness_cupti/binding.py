"""CUPTI's Python binding: whether it is there, and whether it can be used in this run."""

from __future__ import annotations

import importlib
from typing import Any

from mlharness.providers import TraceRequest

NO_CALLS = "CUPTI shows no calls of cuDNN and cuBLAS; their kernels stand in the system level"
OWN_USERS = {"torch": "PyTorch's profiler", "tensorflow": "TensorFlow's profiler"}
"""Frameworks whose own tracer takes CUPTI for itself on a GPU, and records the same activities."""
_INSTALL = "pip install 'mlharness-cupti[cupti]'"


def load_cupti() -> Any:
    """The module ``cupti.cupti``. Raises ImportError when it is not there."""
    return importlib.import_module("cupti.cupti")


def errors(cupti: Any) -> tuple[type[Exception], ...]:
    """What it raises: its own, a RuntimeError without a driver, an AttributeError for what it is too old for."""
    return (cupti.cuptiError, RuntimeError, AttributeError)


def not_cuda(request: TraceRequest) -> str:
    """Why a run on another device has nothing to show; empty for one on CUDA."""
    if request.device.startswith("cuda"):
        return ""
    return f"CUPTI sees CUDA only, and this run is on {request.device}"


def why_not(request: TraceRequest) -> str:
    """Why this run cannot be traced by CUPTI; empty when it can."""
    if reason := not_cuda(request):
        return reason
    if request.framework in OWN_USERS and "framework" in request.levels:
        return f"{OWN_USERS[request.framework]} records CUDA's activities itself, and CUPTI has one user in a process"
    try:
        cupti = load_cupti()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "cupti":
            return f"cupti-python cannot be imported: {error}"
        return f"cupti-python is not installed: {_INSTALL}"
    except ImportError as error:
        return f"cupti-python cannot be imported: {error}"
    try:
        cupti.get_timestamp()
    except errors(cupti) as error:
        return f"CUPTI cannot be used: {error}"
    return ""
