"""Checks a host before a run: what would spoil a figure, what cannot run at all, and what to do about each.

Host and grades are those of a run: :mod:`mlharness.telemetry` reads, :mod:`mlharness.quality` judges. Frameworks and
LoadGen are asked in runner processes, one for each plugin, so that a broken one takes nothing else with it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

import psutil

from mlharness import gpu, quality, supervise, telemetry
from mlharness.cores import cgroup_quota
from mlharness.environments.comparing import differences
from mlharness.environments.record import Record
from mlharness.environments.shelf import environments
from mlharness.errors import MlharnessError
from mlharness.monitor import family
from mlharness.plugins import Plugins
from mlharness.runner.job import Job, Message
from mlharness.system import read_text, virtualised
from mlharness.telemetry import Host, Sample

LOOK_S = 1.0
"""How long the host is watched; as long as one sample of a run."""
HARNESS_ONLY = ("null",)
"""Frameworks that run no model: a host that has nothing else can measure nothing but mlharness."""

Status = Literal["ok", "warn", "bad"]
REMEDIES = {
    "other_cpu": "Stop what else runs, or wait: see top.",
    "steal": "Ask for dedicated cores, or measure on a machine of your own.",
    "throttled": "Raise the container's CPU quota, or use fewer --threads and --instances.",
    "swap_mib_s": "Stop what needs the memory.",
    "major_faults_s": "Free some memory.",
}
"""What to do about each criterion of a run's quality that can be seen without a run."""


@dataclass(frozen=True)
class Check:
    """One row: what was checked, what was found, how good that is, and what to do (empty when it is ok).

    ``blocking`` means that nothing at all can run.
    """

    check: str
    finding: str
    status: Status = "ok"
    remedy: str = ""
    blocking: bool = False


def examine(plugins: Plugins, blocked: Sequence[str] = ()) -> list[Check]:
    """Every check, about :data:`LOOK_S` seconds and a process for each plugin with a framework.

    Args:
        plugins: the loaded plugins, and those that could not be loaded.
        blocked: the plugins that the user blocked, for the runners.
    """
    host = telemetry.usable_host()
    parts: tuple[Iterable[Check], ...] = (
        check_cores(host),
        [check_governor(host), check_turbo(host)],
        check_load(host, look(host)),
        [check_virtualisation(), check_swap()],
        check_plugins(plugins),
        check_environments(made := environments()),
        check_frameworks(plugins, ask_frameworks(plugins, blocked), made),
        check_gpus(host, gpu.all_gpus()),
    )
    return list(chain.from_iterable(parts))


def nothing_runs(checks: Iterable[Check]) -> bool:
    """Whether any check found that nothing at all can run."""
    return any(check.blocking for check in checks)


def look(host: Host) -> Sample:
    """One sample of the host as it is; this process and its descendants are not "other"."""
    own, began = family(), monotonic()
    first = telemetry.read(host, 0.0, own)
    sleep(LOOK_S)
    return telemetry.between("doctor", first, telemetry.read(host, monotonic() - began, own), len(host.cores))


def check_cores(host: Host) -> Iterator[Check]:
    """Usable cores; a quota that is not a whole number stops threads in the middle of a period."""
    quota = cgroup_quota(host.sys / "fs/cgroup", host.proc / "self/cgroup")
    found = f"{len(host.cores)} usable"
    if quota is None or quota >= len(host.cores):
        yield Check("cores", found)
    else:
        remedy = "Pin the container to whole cores (docker: --cpuset-cpus) instead of a quota."
        yield Check("cores", f"{found}, cut by a cgroup quota of {quota:g}", "warn", remedy)


def check_governor(host: Host) -> Check:
    """Every usable core's governor should be ``performance``: others lower the clock between queries."""
    paths = [host.sys / f"devices/system/cpu/cpu{core}/cpufreq/scaling_governor" for core in host.cores]
    found = sorted({text for path in paths if (text := read_text(path))})
    if not found:
        return Check("governor", "this host does not tell")
    if found == ["performance"]:
        return Check("governor", "performance")
    return Check("governor", ", ".join(found), "warn", "Run: sudo cpupower frequency-set -g performance")


def check_turbo(host: Host) -> Check:
    """Turbo makes the clock depend on the temperature. Source: intel_pstate, or cpufreq's ``boost``."""
    intel, boost = host.sys / "devices/system/cpu/intel_pstate/no_turbo", host.sys / "devices/system/cpu/cpufreq/boost"
    switches = ((intel, "0", "1"), (boost, "1", "0"))
    for path, on, off in switches:
        state = read_text(path)
        if state is not None:
            remedy = f"For figures that repeat, run: echo {off} | sudo tee {path}"
            return Check("turbo", "on", "warn", remedy) if state == on else Check("turbo", "off")
    return Check("turbo", "this host does not tell")


def check_load(host: Host, sample: Sample) -> Iterator[Check]:
    """What would lower a run's grade if it went on like this, by the run's own criteria."""
    figures = quality.measure_one(sample, {"clock_mhz": 0.0, "gpu_clock_mhz": 0.0})
    average = f"load average {os.getloadavg()[0]:.2f} on {len(host.cores)} cores"
    found = False
    for criterion in quality.CRITERIA:
        if criterion.name in figures and criterion.grade(figures[criterion.name]) != "A":
            found = True
            grade = criterion.grade(figures[criterion.name])
            status: Status = "bad" if grade == "D" else "warn"
            words = f"{criterion.reason(figures[criterion.name])}; {average}"
            yield Check("load", words, status, REMEDIES.get(criterion.name, "Wait."))
    if not found:
        yield Check("load", f"quiet; {average}")


def check_virtualisation() -> Check:
    """A hypervisor can take cores away without a trace but steal."""
    if virtualised():
        return Check("virtualisation", "a virtual machine", "warn", "For figures to publish, measure on real hardware.")
    return Check("virtualisation", "this host does not tell" if virtualised() is None else "none")


def check_swap() -> Check:
    """Swap in use can bring a page of the model back from disk in the middle of a query."""
    swap = psutil.swap_memory()
    if not swap.total:
        return Check("swap", "none")
    found = f"{swap.used / 2**20:.0f} of {swap.total / 2**20:.0f} MiB in use"
    return Check("swap", found, "warn", "Run: sudo swapoff -a") if swap.used else Check("swap", found)


def check_plugins(plugins: Plugins) -> Iterator[Check]:
    """Plugins that cannot be loaded, and names that two of them provide."""
    for plugin in plugins.found:
        if plugin.error:
            remedy = f"Install {plugin.distribution or plugin.name} again, or leave it out: --block {plugin.name}"
            yield Check("plugins", f"{plugin.name}: {' '.join(plugin.error.split())}", "warn", remedy)
    for shelf in plugins.catalog.shelves():
        for name in shelf.names():
            owners = sorted({entry.plugin for entry in shelf if entry.name == name})
            if len(owners) > 1:
                found = f"{shelf.kind} {name!r} is provided by {' and '.join(owners)}, so neither is used"
                yield Check("plugins", found, "warn", f"Block one of them: --block {owners[-1]}")
    loaded = sum(not plugin.error and not plugin.blocked for plugin in plugins.found)
    yield Check("plugins", f"{loaded} loaded")


def ask_frameworks(plugins: Plugins, blocked: Sequence[str]) -> list[Message]:
    """The messages of a runner for each plugin that provides frameworks; every other such plugin is blocked in it.

    At least one runner is asked, since LoadGen matters too. A runner that dies is a message with the error.
    """
    owners = sorted({entry.plugin for entry in plugins.catalog.frameworks})
    messages: list[Message] = []
    for owner in owners or [""]:
        others = [other for other in owners if other != owner]
        messages += ask_runner(owner, Job("inspect", (*blocked, *others)))
    return messages


def ask_runner(owner: str, job: Job) -> list[Message]:
    """What one runner says, or that it could not."""
    with tempfile.TemporaryDirectory(prefix="mlharness-") as folder:
        try:
            outcome = supervise.run(job, supervise.Watch(), Path(folder) / "runner.log")
        except (MlharnessError, supervise.RunnerBug) as error:
            return [{"event": "died", "plugin": owner, "error": " ".join(str(error).split())}]
    return [*outcome.all("loadgen"), *outcome.all("framework")]


def check_environments(made: Iterable[Record]) -> Iterator[Check]:
    """The created environments, and why one of them is not used."""
    for record in made:
        words = f"{record.name}: {record.framework} {record.framework_version} on Python {record.python}"
        told = differences(record)
        if told:
            remedy = f"Run: mlh env create {record.framework}=={record.framework_version} --name {record.name}"
            yield Check("environment", f"{words}; not used, since {'; '.join(told)}", "warn", remedy)
        else:
            yield Check("environment", words)


def check_frameworks(plugins: Plugins, messages: Sequence[Message], made: Iterable[Record] = ()) -> Iterator[Check]:
    """LoadGen, then each framework with version and devices; bad when nothing but the null framework is left.

    One that is not installed here does no harm when a created environment has it.
    """
    yield check_loadgen(messages)
    known = [entry.name for entry in plugins.catalog.frameworks]
    elsewhere = {record.framework for record in made if not differences(record)}
    usable = [name for name in known if name in elsewhere]
    for message in messages:
        if message["event"] == "died":
            remedy = f"Install it again, or leave it out: --block {message['plugin']}"
            yield Check("framework", f"{message['plugin']}: {message['error']}", "bad", remedy)
        elif message["event"] == "framework" and message["error"] and message["name"] in elsewhere:
            yield Check("framework", f"{message['name']}: in a created environment only")
        elif message["event"] == "framework" and message["error"]:
            name = message["name"]
            remedy = f"Run: pip install '{requirement(plugins, name)}'"
            remedy += f", or: mlh env create {name}" if requirement(plugins, name, "") else ""
            yield Check("framework", f"{message['name']}: {message['error']}", "bad", remedy)
        elif message["event"] == "framework":
            usable += [message["name"]] if known.count(message["name"]) == 1 else []  # of two, neither is used
            devices = ", ".join(message["devices"]) or "no device"
            yield Check("framework", f"{message['name']} {message['version']} on {devices}")
    if not set(usable) - set(HARNESS_ONLY):
        remedy = "Install a plugin with a framework, such as mlharness-onnxruntime; see mlh plugins."
        yield Check("framework", "none that runs a model", "bad", remedy, blocking=True)


def check_loadgen(messages: Sequence[Message]) -> Check:
    """LoadGen is what measures: without it nothing runs."""
    answers = [message["error"] for message in messages if message["event"] == "loadgen"]
    errors = [error for error in answers if error] if answers else ["no runner could be asked"]
    if not errors:
        return Check("loadgen", "can be imported")
    return Check("loadgen", errors[0], "bad", "Run: pip install --force-reinstall mlcommons-loadgen", blocking=True)


def requirement(plugins: Plugins, framework: str, unknown: str | None = None) -> str:
    """The distribution that carries a framework; its name, or ``unknown``, when it does not say."""
    found = (entry.provider for entry in plugins.catalog.frameworks if entry.name == framework)
    told = (provider.requirement for provider in found if provider.requirement)
    return next(told, framework if unknown is None else unknown)


def check_gpus(host: Host, gpus: Iterable[gpu.Gpu]) -> Iterator[Check]:
    """NVIDIA GPUs and who else is on them; a GPU that nothing can watch is told."""
    seen = False
    for device in gpus:
        seen = True
        reading, name = device.read(family()), device.name() or "a GPU"
        device.close()
        if reading.foreign:
            remedy = "See nvidia-smi; stop them, or choose another GPU with CUDA_VISIBLE_DEVICES."
            yield Check("devices", f"{name}, with {reading.foreign} other processes", "warn", remedy)
        else:
            yield Check("devices", name)
    if not seen and (host.proc / "driver/nvidia").exists():
        remedy = "Run: pip install 'mlharness[gpu]'"
        yield Check("devices", "an NVIDIA driver, and no NVML to watch its GPUs with", "warn", remedy)
    elif not seen:
        yield Check("devices", "no NVIDIA GPU")
