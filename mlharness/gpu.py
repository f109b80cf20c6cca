"""Reads an NVIDIA GPU through NVML, when ``nvidia-ml-py`` (the extra ``gpu``) is installed; otherwise there is none.

NVML's names are those of https://docs.nvidia.com/deploy/nvml-api/. Tested with a fake module, not yet on a GPU.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SLOWED_BY = {
    0x04: "its power limit",
    0x08: "a hardware slowdown",
    0x20: "its temperature, by the driver",
    0x40: "its temperature, by the hardware",
    0x80: "the power supply's brake",
}
"""Those of NVML's reasons for a lower clock that nobody asked for."""


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

    def figures(self) -> Iterator[tuple[str, str, float]]:
        """Name, unit and value of what this GPU tells of itself now; its energy is that since the driver was loaded."""
        nvml = self._nvml
        use, memory = self._ask(nvml.nvmlDeviceGetUtilizationRates), self._ask(nvml.nvmlDeviceGetMemoryInfo)
        reasons = self._slowing()
        for name, unit, value, scale in (
            ("power", "W", self._ask(nvml.nvmlDeviceGetPowerUsage), 1e-3),
            ("energy", "J", self._ask(nvml.nvmlDeviceGetTotalEnergyConsumption), 1e-3),
            ("clock", "MHz", self._ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM), 1),
            ("memory_clock", "MHz", self._ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM), 1),
            ("temperature", "C", self._ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU), 1),
            ("utilisation", "%", use and use.gpu, 1),
            ("memory_utilisation", "%", use and use.memory, 1),
            ("memory", "bytes", memory and memory.used, 1),
            ("throttled", "%", None if reasons is None else float(any(reasons & bit for bit in SLOWED_BY)), 100),
        ):
            if value is not None:
                yield name, unit, value * scale

    def traffic(self) -> Iterator[tuple[str, str, float]]:
        """What goes over PCIe, which NVML measures for 20 ms each way while the caller waits."""
        nvml = self._nvml
        for name, way in (("pcie_sent", nvml.NVML_PCIE_UTIL_TX_BYTES), ("pcie_received", nvml.NVML_PCIE_UTIL_RX_BYTES)):
            kilobytes = self._ask(nvml.nvmlDeviceGetPcieThroughput, way)
            if kilobytes is not None:
                yield name, "bytes/s", kilobytes * 1e3

    def slowed_by(self) -> list[str]:
        """Why its clocks are held down now, if they are and nobody asked for it."""
        reasons = self._slowing() or 0
        return [words for bit, words in SLOWED_BY.items() if reasons & bit]

    def _slowing(self) -> int | None:
        """NVML's bits, whose function was renamed with driver 535."""
        nvml = self._nvml
        asked = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
        found = self._ask(asked or nvml.nvmlDeviceGetCurrentClocksThrottleReasons)
        return None if found is None else int(found)

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


def gpu_missing(device: str) -> str:
    """Why :func:`open_gpu` gives none, in a short sentence; empty when it gives one."""
    if device.partition(":")[0] != "cuda":
        return "the run uses no GPU"
    found = open_gpu(device)
    if found is not None:
        found.close()
        return ""
    if _import_nvml() is None:
        return "nvidia-ml-py, which reads GPUs, is not installed: pip install nvidia-ml-py"
    nvml = load_nvml()
    if nvml is None:
        return "NVML finds no driver of a GPU"
    nvml.nvmlShutdown()
    return f"NVML shows no GPU {device}"


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
    nvml = _import_nvml()
    if nvml is None:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _import_nvml() -> Any:
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None
