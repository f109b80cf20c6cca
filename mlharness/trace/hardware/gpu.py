"""An NVIDIA GPU over time, through NVML; tested with a fake module, not yet on a GPU."""

from __future__ import annotations

from mlharness.gpu import Gpu, gpu_missing, open_gpu
from mlharness.trace.spans import Spans

PCIE_EVERY_NS = 900_000_000
"""NVML measures PCIe traffic over 20 ms, and lets the caller wait so long: about once a second is enough."""


class GpuProbe:
    """The GPU of the run's device; readings are named ``gpu0.power`` and so on, by CUDA's number."""

    least_s = 0.1

    def __init__(self, device: str) -> None:
        self._device = device
        self._name = f"gpu{device.partition(':')[2] or 0}"
        self._gpu: Gpu | None = None
        self._pcie_ns = 0
        self._energy: float | None = None

    def start(self) -> None:
        """Open it. Raises RuntimeError when it has gone since it was looked for."""
        self._gpu = open_gpu(self._device)
        if self._gpu is None:
            raise RuntimeError(gpu_missing(self._device) or f"{self._device} is not there any more")

    def read(self, spans: Spans, now_ns: int) -> None:
        """Add what it tells, and a note of each reason for which its clocks were held down."""
        assert self._gpu is not None, "opened by start"
        for name, unit, value in self._gpu.figures():
            if name == "energy":
                self._energy = value if self._energy is None else self._energy
                value -= self._energy  # that of the test
            spans.read(f"{self._name}.{name}", unit, now_ns, value)
        for reason in self._gpu.slowed_by():
            note = f"{self._name} was slowed: {reason}"
            spans.notes += [note] if note not in spans.notes else []
        if now_ns - self._pcie_ns >= PCIE_EVERY_NS:
            self._pcie_ns = now_ns
            for name, unit, value in self._gpu.traffic():
                spans.read(f"{self._name}.{name}", unit, now_ns, value)

    def close(self) -> None:
        """Let go of it."""
        if self._gpu is not None:
            self._gpu.close()
            self._gpu = None
