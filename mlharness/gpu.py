"""Reads an NVIDIA GPU through NVML, when ``nvidia-ml-py`` (the extra ``gpu``) is installed; otherwise there is none.

NVML's names are those of https://docs.nvidia.com/deploy/nvml-api/. Tested with a fake module, not yet on a GPU.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class GpuReading:
    """A GPU at a moment: its SM clock in MHz, and the processes on it that are not ours; None: it does not say."""

    clock_mhz: float | None
    foreign: int | None


class Gpu:
    """One GPU, held until :meth:`close`."""

    def __init__(self, nvml: Any, handle: Any, proc: Path = Path("/proc")) -> None:
        self._nvml, self._handle, self._proc = nvml, handle, proc

    def read(self, own: Collection[int]) -> GpuReading:
        """The GPU now; ``own`` are the process ids that belong to the run.

        In a container NVML may give the host's process ids: those that this process cannot see are not counted.
        """
        nvml = self._nvml
        clock = self._ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM)
        computing = self._ask(nvml.nvmlDeviceGetComputeRunningProcesses)
        drawing = self._ask(nvml.nvmlDeviceGetGraphicsRunningProcesses)
        if computing is None:
            return GpuReading(clock, None)
        found = {process.pid for process in (*computing, *(drawing or ()))} - set(own)
        return GpuReading(clock, sum((self._proc / str(pid)).exists() for pid in found))

    def name(self) -> str:
        """The product's name; empty when the driver does not tell."""
        return str(self._ask(self._nvml.nvmlDeviceGetName) or "")

    def close(self) -> None:
        """Let go of NVML, which counts its users."""
        self._ask_nvml(self._nvml.nvmlShutdown)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._ask_nvml(function, self._handle, *arguments)

    def _ask_nvml(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """NVML's answer; None for what this GPU or driver does not support."""
        try:
            return function(*arguments)
        except self._nvml.NVMLError:
            return None


def open_gpu(device: str) -> Gpu | None:
    """The GPU that a framework's device ``cuda:N`` (or ``cuda``) means; None for any other, or without NVML.

    ``CUDA_VISIBLE_DEVICES`` is followed: its entries are NVML's indices, or UUIDs.
    """
    kind, _, number = device.partition(":")
    nvml = load_nvml() if kind == "cuda" and (number or "0").isdigit() else None
    if nvml is None:
        return None
    try:
        named = visible_device(int(number or 0), os.environ.get("CUDA_VISIBLE_DEVICES"))
        if named.isdigit():
            return Gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(int(named)))
        return Gpu(nvml, nvml.nvmlDeviceGetHandleByUUID(named))
    except nvml.NVMLError:
        nvml.nvmlShutdown()
        return None


def all_gpus() -> Iterable[Gpu]:
    """Every GPU that NVML shows; none without it. Each wants its own :meth:`Gpu.close`."""
    nvml = load_nvml()
    if nvml is None:
        return []
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        handles = []
    for _ in handles[1:]:
        nvml.nvmlInit()  # one use for each GPU, since each is closed
    if not handles:
        nvml.nvmlShutdown()
    return [Gpu(nvml, handle) for handle in handles]


def visible_device(number: int, visible: str | None) -> str:
    """What CUDA's device ``number`` is called by NVML: an index or a UUID."""
    names = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return names[number] if number < len(names) else str(number)


def load_nvml() -> Any:
    """The initialised module ``pynvml``; None when it is not installed, or finds no driver."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml
