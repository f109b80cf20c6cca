"""Usable cores: the affinity mask, cut by whichever quota of the control groups above is the smallest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlharness import cores
from mlharness.cores import cgroup_quota, usable_cores


def v2(tmp_path: Path, path: str, **limits: str) -> tuple[Path, Path]:
    """A unified hierarchy; ``limits`` by group name ("root" is the hierarchy's), and the membership file."""
    root = tmp_path / "cgroup"
    for name, text in limits.items():
        folder = root if name == "root" else root / next(p for p in parents(path) if p.endswith(name))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(f"{text}\n")
    membership = tmp_path / "membership"
    membership.write_text(f"0::/{path}\n")
    return root, membership


def parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def v1(tmp_path: Path, path: str, quota: str, controllers: str = "cpu,cpuacct") -> tuple[Path, Path]:
    root = tmp_path / "cgroup"
    folder = root / "cpu" / path
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    membership = tmp_path / "membership"
    membership.write_text(f"11:memory:/elsewhere\n4:{controllers}:/{path}\n0::/\n")
    return root, membership


@pytest.mark.parametrize(("text", "quota"), [("150000 100000", 1.5), ("50000 100000", 0.5), ("max 100000", None)])
def test_v2(tmp_path: Path, text: str, quota: float | None) -> None:
    assert cgroup_quota(*v2(tmp_path, "user/job", job=text)) == quota


def test_the_tightest_of_all_parents_counts(tmp_path: Path) -> None:
    root, membership = v2(tmp_path, "user/job", root="max 100000", user="200000 100000", job="400000 100000")
    assert cgroup_quota(root, membership) == 2.0


def test_other_groups_do_not_count(tmp_path: Path) -> None:
    root, membership = v2(tmp_path, "user/job", job="400000 100000")
    (root / "user" / "other").mkdir()
    (root / "user" / "other" / "cpu.max").write_text("100000 100000")
    (tmp_path / "cpu.max").write_text("10000 100000")
    assert cgroup_quota(root, membership) == 4.0


def test_a_group_that_is_not_visible_leaves_its_parents(tmp_path: Path) -> None:
    """In a container the membership may name a path of the host."""
    root, membership = v2(tmp_path, "job", root="300000 100000")
    membership.write_text("0::/docker/0123abcd\n")
    assert cgroup_quota(root, membership) == 3.0


@pytest.mark.parametrize(("text", "quota"), [("250000", 2.5), ("-1", None)])
@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_v1(tmp_path: Path, text: str, quota: float | None, controllers: str) -> None:
    assert cgroup_quota(*v1(tmp_path, "docker/abc", text, controllers)) == quota


def test_v1_looks_only_at_the_controller_cpu(tmp_path: Path) -> None:
    assert cgroup_quota(*v1(tmp_path, "docker/abc", "250000", "cpuset")) is None


def test_no_control_groups_no_quota(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path / "none", tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("quota", "usable"),
    [(None, (2, 3, 5, 7)), (2.5, (2, 3)), (0.5, (2,)), (4.0, (2, 3, 5, 7)), (64.0, (2, 3, 5, 7))],
)
def test_usable_cores_are_the_mask_cut_by_the_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, usable: tuple[int, ...]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {7, 5, 3, 2})
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: quota)
    assert usable_cores() == usable


def test_of_this_very_process() -> None:
    found = usable_cores()
    assert 1 <= len(found) <= len(os.sched_getaffinity(0))
    assert set(found) <= os.sched_getaffinity(0)
