"""A GPU over time, through a fake of NVML; nothing here has run on a GPU."""

from __future__ import annotations

import sys

import pytest

from mlharness.gpu import gpu_missing
from mlharness.trace.hardware.gpu import GpuProbe
from mlharness.trace.spans import Spans
from tests.unit.test_gpu import FakeNvml, install

SECOND = 1_000_000_000
FIGURES = {
    "gpu1.power": (250.5, "W"),
    "gpu1.energy": (0.0, "J"),
    "gpu1.clock": (1410.0, "MHz"),
    "gpu1.memory_clock": (1215.0, "MHz"),
    "gpu1.temperature": (71.0, "C"),
    "gpu1.utilisation": (93.0, "%"),
    "gpu1.memory_utilisation": (40.0, "%"),
    "gpu1.memory": (3e9, "bytes"),
    "gpu1.throttled": (0.0, "%"),
}
TRAFFIC = {"gpu1.pcie_sent": (5e6, "bytes/s"), "gpu1.pcie_received": (7e6, "bytes/s")}


def read(probe: GpuProbe, spans: Spans, now_ns: int) -> dict[str, tuple[float, str]]:
    before = spans.count_of_readings
    probe.read(spans, now_ns)
    return {name: (value, unit) for _, name, unit, _, value in spans.readings()[before:]}


def test_everything_is_read_and_traffic_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, spans, probe = install(monkeypatch, FakeNvml()), Spans("nvml"), GpuProbe("cuda:1")
    assert gpu_missing("cuda:1") == ""
    probe.start()
    assert read(probe, spans, SECOND) == {**FIGURES, **TRAFFIC}
    fake.millijoules += 7_500
    assert read(probe, spans, SECOND + SECOND // 10) == {**FIGURES, "gpu1.energy": (7.5, "J")}
    assert read(probe, spans, 2 * SECOND).keys() == {*FIGURES, *TRAFFIC}
    assert spans.notes == []
    probe.close()
    assert fake.users == 0


def test_a_gpu_that_is_slowed_says_why_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, spans, probe = install(monkeypatch, FakeNvml()), Spans("nvml"), GpuProbe("cuda:0")
    probe.start()
    for reasons in (0x01, 0x04 | 0x40, 0x04):
        fake.reasons = reasons
        probe.read(spans, SECOND)
    assert [value for _, name, _, _, value in spans.readings() if name == "gpu0.throttled"] == [0.0, 100.0, 100.0]
    assert spans.notes == [
        "gpu0 was slowed: its power limit",
        "gpu0 was slowed: its temperature, by the hardware",
    ]
    probe.close()


def test_what_a_gpu_does_not_support_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ("power", "energy", "use", "memory", "temperature", "reasons", "pcie")
    install(monkeypatch, FakeNvml(missing=missing))
    spans, probe = Spans("nvml"), GpuProbe("cuda:1")
    probe.start()
    assert read(probe, spans, SECOND).keys() == {"gpu1.clock", "gpu1.memory_clock"}
    probe.close()


def test_why_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, FakeNvml())
    assert gpu_missing("cpu") == "the run uses no GPU"
    assert gpu_missing("cuda:5") == "NVML shows no GPU cuda:5"
    assert fake.users == 0
    with pytest.raises(RuntimeError, match="NVML shows no GPU cuda:5"):
        GpuProbe("cuda:5").start()
    install(monkeypatch, FakeNvml(missing=("driver",)))
    assert gpu_missing("cuda:0") == "NVML finds no driver of a GPU"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_missing("cuda:0").startswith("nvidia-ml-py, which reads GPUs, is not installed")
