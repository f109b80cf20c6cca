"""Each check over made-up hosts, plugins and runners."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from mlharness import doctor
from mlharness.doctor import Check, nothing_runs
from mlharness.errors import RunError
from mlharness.gpu import GpuReading
from mlharness.plugins import Plugins, build_manager
from mlharness.runner.job import Job, Message
from mlharness.supervise import Outcome
from mlharness.telemetry import Host, Sample
from tests.fakes import install_fakes
from tests.unit.environments.making import a_kernel, a_record
from tests.unit.environments.making import put as put_environment

GOOD: Message = {"event": "framework", "name": "fake", "version": "9", "devices": ["cpu", "cuda:0"], "error": None}
NULL: Message = {"event": "framework", "name": "null", "version": "1", "devices": ["cpu"], "error": None}
BROKEN: Message = {"event": "framework", "name": "fake", "version": None, "devices": [], "error": "ImportError: no"}
LOADGEN: Message = {"event": "loadgen", "error": None}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with two usable cores that tells nothing yet."""
    return Host((0, 1), tmp_path / "proc", tmp_path / "sys")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Plugins:
    """A good plugin with the framework ``fake``, a broken one, and two that quarrel about a name."""
    fakes = install_fakes(monkeypatch, tmp_path / "site", "good", "raising", "twin-one", "twin-two")
    return build_manager(entry_points=fakes)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def summary(checks: Collection[Check]) -> list[tuple[str, str]]:
    return [(check.check, check.status) for check in checks]


def check_remedies(checks: Collection[Check]) -> None:
    """What is not ok can be mended."""
    assert [check for check in checks if (check.status == "ok") == bool(check.remedy)] == []


def test_cores_without_a_quota_are_ok(host: Host) -> None:
    assert list(doctor.check_cores(host)) == [Check("cores", "2 usable")]


def test_a_quota_below_the_cores_is_warned_about(host: Host) -> None:
    put(host.proc / "self/cgroup", "0::/\n")
    put(host.sys / "fs/cgroup/cpu.max", "150000 100000\n")
    (found,) = doctor.check_cores(host)
    assert (found.status, found.finding) == ("warn", "2 usable, cut by a cgroup quota of 1.5")
    check_remedies([found])


@pytest.mark.parametrize(
    ("governors", "status", "finding"),
    [
        ((), "ok", "this host does not tell"),
        (("performance", "performance"), "ok", "performance"),
        (("performance", "powersave"), "warn", "performance, powersave"),
    ],
)
def test_governors(host: Host, governors: tuple[str, ...], status: str, finding: str) -> None:
    for core, governor in enumerate(governors):
        put(host.sys / f"devices/system/cpu/cpu{core}/cpufreq/scaling_governor", f"{governor}\n")
    found = doctor.check_governor(host)
    assert (found.status, found.finding) == (status, finding)
    check_remedies([found])


@pytest.mark.parametrize(
    ("file", "state", "finding"),
    [
        ("intel_pstate/no_turbo", "0", "on"),
        ("intel_pstate/no_turbo", "1", "off"),
        ("cpufreq/boost", "1", "on"),
        ("cpufreq/boost", "0", "off"),
        ("other", "1", "this host does not tell"),
    ],
)
def test_turbo(host: Host, file: str, state: str, finding: str) -> None:
    put(host.sys / "devices/system/cpu" / file, f"{state}\n")
    found = doctor.check_turbo(host)
    assert found.finding == finding
    assert found.status == ("warn" if finding == "on" else "ok")
    check_remedies([found])


def test_a_quiet_host_has_one_row_of_load(host: Host) -> None:
    (found,) = doctor.check_load(host, Sample("doctor", 0.0, 1.0, other_cpu=0.0, steal=0.0))
    assert found.status == "ok"
    assert found.finding.startswith("quiet; load average")


def test_load_is_judged_as_in_a_run(host: Host) -> None:
    found = list(doctor.check_load(host, Sample("doctor", 0.0, 1.0, other_cpu=0.9, steal=0.02, swap_mib_s=2.0)))
    assert [check.status for check in found] == ["bad", "warn", "warn"]
    assert found[0].finding.startswith("other processes took 90 % of the usable cores (grade D")
    check_remedies(found)


@pytest.mark.parametrize(("says", "status"), [(True, "warn"), (False, "ok"), (None, "ok")])
def test_virtualisation(monkeypatch: pytest.MonkeyPatch, says: bool | None, status: str) -> None:
    monkeypatch.setattr(doctor, "virtualised", lambda: says)
    assert doctor.check_virtualisation().status == status
    check_remedies([doctor.check_virtualisation()])


@pytest.mark.parametrize(("total", "used", "status"), [(0, 0, "ok"), (2**30, 0, "ok"), (2**30, 2**20, "warn")])
def test_swap(monkeypatch: pytest.MonkeyPatch, total: int, used: int, status: str) -> None:
    class Memory:
        def __init__(self) -> None:
            self.total, self.used = total, used

    monkeypatch.setattr("mlharness.doctor.psutil.swap_memory", Memory)
    found = doctor.check_swap()
    assert found.status == status
    check_remedies([found])


def test_plugins_that_are_broken_or_quarrel_are_named(plugins: Plugins) -> None:
    found = list(doctor.check_plugins(plugins))
    assert summary(found) == [("plugins", "warn"), ("plugins", "warn"), ("plugins", "ok")]
    assert found[0].finding.startswith("mlh-fake-raising: ")
    assert found[0].remedy.endswith("--block mlh-fake-raising")
    assert "'twin' is provided by mlh-fake-twin-one and mlh-fake-twin-two" in found[1].finding
    assert found[2].finding == "3 loaded"


def test_each_plugin_with_a_framework_is_asked_alone(monkeypatch: pytest.MonkeyPatch, plugins: Plugins) -> None:
    asked: list[Job] = []

    def run(job: Job, *rest: Any) -> Outcome:
        asked.append(job)
        if "mlh-fake-good" not in job.blocked:
            raise RunError("the runner was killed by SIGSEGV", "Its last words: none")
        return Outcome([LOADGEN])

    monkeypatch.setattr("mlharness.doctor.supervise.run", run)
    messages = doctor.ask_frameworks(plugins, ("other",))
    owners = {"mlh-fake-good", "mlh-fake-twin-one", "mlh-fake-twin-two"}
    assert [owners - set(job.blocked) for job in asked] == [{owner} for owner in sorted(owners)]
    assert all("other" in job.blocked and job.plan is None for job in asked)
    error = "the runner was killed by SIGSEGV Its last words: none"
    assert messages[0] == {"event": "died", "plugin": "mlh-fake-good", "error": error}
    assert messages[1:] == [LOADGEN, LOADGEN]


def test_loadgen_is_asked_even_without_frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.doctor.supervise.run", lambda *arguments: Outcome([LOADGEN]))
    assert doctor.ask_frameworks(build_manager(entry_points=[]), ()) == [LOADGEN]


def test_a_framework_is_shown_with_version_and_devices(plugins: Plugins) -> None:
    found = list(doctor.check_frameworks(plugins, [LOADGEN, GOOD, NULL]))
    assert summary(found) == [("loadgen", "ok"), ("framework", "ok"), ("framework", "ok")]
    assert found[1].finding == "fake 9 on cpu, cuda:0"
    assert not nothing_runs(found)


@pytest.mark.parametrize(
    "messages",
    [
        [LOADGEN],
        [LOADGEN, NULL],
        [LOADGEN, NULL, BROKEN],
        [LOADGEN, NULL, {**GOOD, "name": "twin"}],
        [LOADGEN, NULL, {"event": "died", "plugin": "mlh-fake-good", "error": "killed"}],
        [{**LOADGEN, "error": "No module named 'mlperf_loadgen'"}, GOOD],
        [{"event": "died", "plugin": "", "error": "killed"}],
    ],
)
def test_nothing_runs(plugins: Plugins, messages: list[Message]) -> None:
    found = list(doctor.check_frameworks(plugins, messages))
    assert nothing_runs(found)
    check_remedies(found)


def test_a_broken_framework_beside_a_good_one_does_not_block(plugins: Plugins) -> None:
    found = list(doctor.check_frameworks(plugins, [LOADGEN, GOOD, {**BROKEN, "name": "other"}]))
    assert summary(found)[-1] == ("framework", "bad")
    assert found[-1].remedy == "Run: pip install 'other'"
    assert not nothing_runs(found)


def test_gpus(host: Host) -> None:
    closed: list[bool] = []

    class FakeGpu:
        def __init__(self, foreign: int | None) -> None:
            self._foreign = foreign

        def read(self, own: Collection[int]) -> GpuReading:
            return GpuReading(1410.0, self._foreign)

        def name(self) -> str:
            return "Fake 3000"

        def close(self) -> None:
            closed.append(True)

    found = list(doctor.check_gpus(host, [FakeGpu(0), FakeGpu(2), FakeGpu(None)]))  # type: ignore[list-item]  # fakes
    assert [check.status for check in found] == ["ok", "warn", "ok"]
    assert found[1].finding == "Fake 3000, with 2 other processes"
    assert closed == [True] * 3
    check_remedies(found)


def test_a_driver_without_nvml_is_told(host: Host) -> None:
    (host.proc / "driver/nvidia").mkdir(parents=True)
    (found,) = doctor.check_gpus(host, [])
    assert found.status == "warn"
    assert "mlharness[gpu]" in found.remedy


def test_a_host_without_gpu_is_ok(host: Host) -> None:
    assert list(doctor.check_gpus(host, [])) == [Check("devices", "no NVIDIA GPU")]


def test_environments_are_rows_and_their_frameworks_need_not_be_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plugins: Plugins
) -> None:
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path))
    good = put_environment(a_record("good", framework="fake"))
    old = put_environment(a_record("old", members=(a_kernel("0.0.9"),)))
    rows = list(doctor.check_environments([good, old]))
    assert summary(rows) == [("environment", "ok"), ("environment", "warn")]
    assert rows[1].remedy == "Run: mlh env create engine==2.0 --name old"
    found = list(doctor.check_frameworks(plugins, [LOADGEN, BROKEN], [good]))
    assert summary(found) == [("loadgen", "ok"), ("framework", "ok")]
    assert not nothing_runs(found)
    assert nothing_runs(doctor.check_frameworks(plugins, [LOADGEN, BROKEN], []))
