"""The system description of a run: what this host is, read from the operating system, and what only people know.

The field names are those of MLPerf's system description where it has one; human fields (submitter, status ...) come
from a JSON file that the user gives.
"""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from mlharness.cores import cgroup_quota, usable_cores
from mlharness.errors import UserError

_CPU = Path("/sys/devices/system/cpu")
TUNING = (
    "ATEN_", "CT2_", "CUDA_", "CUDNN_", "DNNL_", "GOMP_", "KMP_", "LD_PRELOAD", "MALLOC_", "MKL_", "MXNET_",
    "NVIDIA_TF32_", "OMP_", "ONEDNN_", "OPENBLAS_", "ORT_", "PYTORCH_", "TF_", "TORCH", "XLA_",
)  # fmt: skip
"""How the environment variables begin that frameworks and their libraries take settings from."""


def describe_system(human: Path | None = None) -> dict[str, Any]:
    """Everything known of this host, as plain JSON data; None where the host does not say.

    Args:
        human: a JSON file with MLPerf's fields that no program can know; its values win.

    Raises:
        UserError: the file cannot be read, or is no JSON object.
    """
    cpu = describe_cpu()
    memory = psutil.virtual_memory().total
    mlperf = {
        "system_name": platform.node(),
        "number_of_nodes": 1,
        "host_processors_per_node": cpu["packages"],
        "host_processor_model_name": cpu["model"],
        "host_processor_core_count": psutil.cpu_count(logical=False),
        "host_processor_vcpu_count": psutil.cpu_count(logical=True),
        "host_memory_capacity": f"{memory / 2**30:.1f} GiB",
        "operating_system": describe_os(),
        "framework": None,
        "other_software_stack": f"Python {platform.python_version()}",
        "accelerators_per_node": None,
        "accelerator_model_name": None,
    }
    return {
        "mlperf": {**mlperf, **read_human_fields(human)},
        "host": platform.node(),
        "cpu": cpu,
        "memory_bytes": memory,
        "swap_bytes": psutil.swap_memory().total,
        "os": describe_os(),
        "kernel": platform.release(),
        "virtualised": virtualised(),
        "load_average": list(os.getloadavg()),
        "python": platform.python_version(),
        "packages": installed_packages(),
        "variables": tuning_variables(),
    }


def describe_cpu() -> dict[str, Any]:
    """The processors: model, flags that decide speed, what this process may use, governor and clocks (kHz)."""
    info = cpu_info()
    wanted = ("avx", "avx2", "avx512f", "avx512_vnni", "amx_tile", "avx512_bf16", "amx_bf16", "asimd", "sve")
    flags = (info.get("flags") or info.get("Features") or "").split()
    return {
        "model": info.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "packages": cpu_packages(),
        "usable_cores": list(usable_cores()),
        "cgroup_quota": cgroup_quota(),
        "governor": read_text(_CPU / "cpu0/cpufreq/scaling_governor"),
        "max_khz": read_text(_CPU / "cpu0/cpufreq/cpuinfo_max_freq"),
        "mhz_now": info.get("cpu MHz"),
        "no_turbo": read_text(_CPU / "intel_pstate/no_turbo"),
        "flags": [flag for flag in wanted if flag in flags],
    }


def cpu_info() -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo."""
    text = read_text(Path("/proc/cpuinfo")) or ""
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def cpu_packages() -> int:
    """How many processor packages (sockets) there are; at least one."""
    ids = {read_text(path) for path in _CPU.glob("cpu[0-9]*/topology/physical_package_id")}
    return max(1, len(ids - {None}))


def describe_os() -> str:
    """The distribution's own name for itself."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def virtualised() -> bool | None:
    """Whether a hypervisor says that it is there; None on processors that cannot tell."""
    info = cpu_info()
    return "hypervisor" in info["flags"].split() if "flags" in info else None


def installed_packages() -> dict[str, str]:
    """Every installed distribution and its version."""
    # one reading of each: name and version of a distribution would each parse its metadata again
    described = (found.metadata for found in metadata.distributions())
    return dict(sorted((about["Name"], about["Version"]) for about in described if about and about["Name"]))


def tuning_variables() -> dict[str, str]:
    """The environment variables by which frameworks and their libraries are tuned, as they are set."""
    return {name: os.environ[name] for name in sorted(os.environ) if name.startswith(TUNING)}


def read_text(path: Path) -> str | None:
    """A small file of the kernel's, stripped; None when it is not there or may not be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def read_human_fields(path: Path | None) -> dict[str, Any]:
    """The user's fields. Raises UserError when the file cannot be read or is no JSON object."""
    if path is None:
        return {}
    try:
        fields = json.loads(path.read_text(), parse_constant=refuse_constant)
    except (OSError, ValueError) as error:
        raise UserError(f"the system description {path} cannot be read: {error}", "Give a JSON object.") from error
    if not isinstance(fields, dict):
        raise UserError(f"the system description {path} is no JSON object", 'Write {"submitter": "..."}.')
    return fields


def refuse_constant(name: str) -> None:
    """Raise ValueError for NaN and infinities, which are no JSON, though Python reads them."""
    raise ValueError(f"{name} is no JSON value")
