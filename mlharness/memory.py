"""How much memory this process may still take: the host's, its control groups', and its own limit."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

from mlharness.cores import cgroup_folders


def free_memory() -> int:
    """Bytes that can still be had: what the host has left, cut by control groups and ``ulimit -v``."""
    return max(0, min(left for left in (host_left(), cgroup_left(), address_space_left()) if left is not None))


def host_left() -> int:
    """Bytes that the host has available without swapping."""
    return int(psutil.virtual_memory().available)


def cgroup_left(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """The least that this process's control groups leave; None when none has a limit (cgroup v1 and v2).

    What a group counts as used includes file pages that the kernel would give up: they count as left.
    """
    left = [found for folder in cgroup_folders("memory", root, membership) if (found := _left(folder)) is not None]
    return min(left, default=None)


def address_space_left() -> int | None:
    """Bytes until the soft limit of the address space; None when there is none."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit - int(psutil.Process().memory_info().vms)


def _left(folder: Path) -> int | None:
    try:
        if (folder / "memory.max").exists():
            limit, used = (folder / "memory.max").read_text(), (folder / "memory.current").read_text()
        else:
            limit = (folder / "memory.limit_in_bytes").read_text()
            used = (folder / "memory.usage_in_bytes").read_text()
        if limit.strip() == "max":
            return None
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return int(limit) - int(used) + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):
        return None
