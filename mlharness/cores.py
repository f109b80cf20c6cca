"""How many processor cores this process may really use: its affinity mask, cut by the cgroup's quota."""

from __future__ import annotations

import os
from pathlib import Path


def usable_cores() -> tuple[int, ...]:
    """The numbers of the usable cores; at least one.

    ``os.cpu_count`` counts the machine's processors, also those that a container or ``taskset`` took away.
    """
    mask = sorted(os.sched_getaffinity(0))
    quota = cgroup_quota()
    return tuple(mask if quota is None else mask[: max(1, int(quota))])


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """The smallest CPU quota, in cores, that applies to this process; None when there is none (cgroup v1 and v2)."""
    quotas = [quota for folder in cgroup_folders("cpu", root, membership) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def cgroup_folders(controller: str, root: Path, membership: Path) -> list[Path]:
    """This process's control groups and all their parents, for both hierarchies; ``controller`` as v1 names it."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = root / controller if controllers else root
        own = base / path.lstrip("/")
        folders += [own, *(parent for parent in own.parents if parent.is_relative_to(base))]
    return folders


def _quota(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            allowed, period = (folder / "cpu.max").read_text().split()
        else:
            allowed = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
    except (OSError, ValueError):
        return None
    return None if allowed in ("max", "-1") else int(allowed) / int(period)
