"""GPUs through a fake of NVML; nothing here has run on a GPU."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlharness.gpu import GpuReading, all_gpus, load_nvml, open_gpu, visible_device


class FakeNvml:
    """The part of the module ``pynvml`` that is used, over GPUs that are named by index."""

    NVML_CLOCK_SM = 1
    NVML_CLOCK_MEM = 2
    NVML_TEMPERATURE_GPU = 0
    NVML_PCIE_UTIL_TX_BYTES = 0
    NVML_PCIE_UTIL_RX_BYTES = 1

    class NVMLError(Exception):
        """What NVML raises."""

    def __init__(self, count: int = 2, missing: tuple[str, ...] = ()) -> None:
        self.count, self.missing, self.users = count, missing, 0
        self.reasons, self.millijoules = 0, 9_000_000
        self.computing: tuple[int, ...] = ()
        self.drawing: tuple[int, ...] = ()

    def _check(self, name: str) -> None:
        assert self.users > 0, "used before nvmlInit or after nvmlShutdown"
        if name in self.missing:
            raise self.NVMLError(f"{name} is not supported")

    def nvmlInit(self) -> None:  # noqa: N802  # NVML's name
        if "driver" in self.missing:
            raise self.NVMLError("no driver")
        self.users += 1

    def nvmlShutdown(self) -> None:  # noqa: N802  # NVML's name
        self._check("shutdown")
        self.users -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  # NVML's name
        self._check("count")
        return self.count

    def nvmlDeviceGetHandleByIndex(self, number: int) -> str:  # noqa: N802  # NVML's name
        self._check("handle")
        if number >= self.count:
            raise self.NVMLError("no such GPU")
        return f"index {number}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802  # NVML's name
        return f"uuid {uuid}"

    def nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802  # NVML's name
        self._check("name")
        return f"Fake 3000, {handle}"

    def nvmlDeviceGetClockInfo(self, handle: str, kind: int) -> int:  # noqa: N802  # NVML's name
        self._check("clock")
        return {self.NVML_CLOCK_SM: 1410, self.NVML_CLOCK_MEM: 1215}[kind]

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # noqa: N802  # NVML's name
        self._check("power")
        return 250_500

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802  # NVML's name
        self._check("energy")
        return self.millijoules

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:  # noqa: N802  # NVML's name
        self._check("use")
        return SimpleNamespace(gpu=93, memory=40)

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802  # NVML's name
        self._check("memory")
        return SimpleNamespace(used=3_000_000_000)

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:  # noqa: N802  # NVML's name
        self._check("temperature")
        assert sensor == self.NVML_TEMPERATURE_GPU
        return 71

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: str) -> int:  # noqa: N802  # NVML's name
        self._check("reasons")
        return self.reasons

    def nvmlDeviceGetPcieThroughput(self, handle: str, way: int) -> int:  # noqa: N802  # NVML's name
        self._check("pcie")
        return {self.NVML_PCIE_UTIL_TX_BYTES: 5_000, self.NVML_PCIE_UTIL_RX_BYTES: 7_000}[way]

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:  # noqa: N802  # NVML's name
        self._check("processes")
        return [SimpleNamespace(pid=pid) for pid in self.computing]

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: str) -> list[SimpleNamespace]:  # noqa: N802  # NVML's name
        self._check("graphics")
        return [SimpleNamespace(pid=pid) for pid in self.drawing]


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeNvml) -> FakeNvml:
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return fake


def test_without_the_module_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert load_nvml() is None
    assert open_gpu("cuda:0") is None
    assert list(all_gpus()) == []


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeNvml(missing=("driver",)))
    assert open_gpu("cuda:0") is None


@pytest.mark.parametrize("device", ["cpu", "cuda:x", "rocm:0", "cuda:5"])
def test_a_device_that_is_no_nvidia_gpu_holds_nothing(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    fake = install(monkeypatch, FakeNvml())
    assert open_gpu(device) is None
    assert fake.users == 0


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        ("cuda", None, "index 0"),
        ("cuda:1", None, "index 1"),
        ("cuda:0", "1", "index 1"),
        ("cuda:1", "GPU-a, GPU-b", "uuid GPU-b"),
        ("cuda:1", "", "index 1"),
    ],
)
def test_cudas_device_is_found_among_nvmls(
    monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, name: str
) -> None:
    fake = install(monkeypatch, FakeNvml())
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = open_gpu(device)
    assert found is not None
    assert found.name() == f"Fake 3000, {name}"
    found.close()
    assert fake.users == 0


def test_foreign_processes_are_neither_ours_nor_those_we_cannot_see(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = install(monkeypatch, FakeNvml())
    fake.computing, fake.drawing = (10, 11, 12), (12, 13)
    for pid in (10, 11, 12):
        (tmp_path / str(pid)).mkdir()
    found = open_gpu("cuda:0")
    assert found is not None
    found._proc = tmp_path
    assert found.read((10,)) == GpuReading(1410, 2)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("clock", GpuReading(None, 0)), ("processes", GpuReading(1410, None)), ("graphics", GpuReading(1410, 0))],
)
def test_what_a_gpu_does_not_support_is_unknown(
    monkeypatch: pytest.MonkeyPatch, missing: str, expected: GpuReading
) -> None:
    install(monkeypatch, FakeNvml(missing=(missing,)))
    found = open_gpu("cuda:0")
    assert found is not None
    assert found.read(()) == expected


@pytest.mark.parametrize("count", [0, 1, 3])
def test_all_gpus_are_closed_one_by_one(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    fake = install(monkeypatch, FakeNvml(count))
    found = list(all_gpus())
    assert [gpu.name() for gpu in found] == [f"Fake 3000, index {number}" for number in range(count)]
    for gpu in found:
        gpu.close()
    assert fake.users == 0


def test_a_name_that_the_driver_hides_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeNvml(missing=("name",)))
    found = open_gpu("cuda:0")
    assert found is not None
    assert found.name() == ""


def test_an_index_beyond_those_that_are_visible_is_taken_as_it_is() -> None:
    assert visible_device(2, "5,6") == "2"
