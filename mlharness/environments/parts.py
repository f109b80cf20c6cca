"""What a plugin of a framework needs, told without installing or importing it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mlharness.environments.origins import Member, Origin
from mlharness.environments.record import short
from mlharness.plugins import GROUP, canonical

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRA = "framework"
"""The extra by which a plugin brings its framework, when its framework would not go with other plugins' packages."""


@dataclass(frozen=True)
class FrameworkPart:
    """The plugin of a framework: how it is installed, and its requirements (with those of its extra)."""

    member: Member
    extra: str
    requirements: tuple[Requirement, ...]

    def needs(self, python: str) -> list[Requirement]:
        """The requirements that apply to a version of Python, without their markers."""
        where = {"python_version": short(python), "python_full_version": python, "extra": self.extra}
        kept = [one for one in self.requirements if one.marker is None or one.marker.evaluate(where)]
        return [_unmarked(one) for one in kept]

    def range_of(self, distribution: str, python: str) -> SpecifierSet:
        """The versions of a distribution that the plugin works with; every one when it does not say."""
        found = SpecifierSet()
        for one in self.needs(python):
            if canonical(one.name) == canonical(distribution):
                found &= one.specifier
        return found


def installed_part(member: Member) -> FrameworkPart:
    """The part of a plugin that is installed where mlh runs."""
    distribution = metadata.distribution(member.name)
    extras = distribution.metadata.get_all("Provides-Extra") or []
    texts = distribution.requires or []
    return FrameworkPart(member, EXTRA if EXTRA in extras else "", tuple(map(Requirement, texts)))


def part_beside(kernel: Member, framework: str) -> FrameworkPart | None:
    """The part of ``plugins/mlharness-FRAMEWORK`` in the kernel's source tree; None when there is no such folder.

    It is installed as the kernel is: editable when that is.
    """
    if kernel.origin.kind not in ("editable", "folder"):
        return None
    folder = Path(kernel.origin.source) / "plugins" / f"{GROUP}-{canonical(framework)}"
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        return None
    member = Member(canonical(project["name"]), project["version"], Origin(kernel.origin.kind, str(folder)))
    return FrameworkPart(member, *_declared(project))


def _declared(project: Mapping[str, Any]) -> tuple[str, tuple[Requirement, ...]]:
    extras: Mapping[str, Sequence[str]] = project.get("optional-dependencies", {})
    texts = [*project.get("dependencies", ()), *extras.get(EXTRA, ())]
    return EXTRA if EXTRA in extras else "", tuple(map(Requirement, texts))


def _unmarked(requirement: Requirement) -> Requirement:
    bare = Requirement(str(requirement))
    bare.marker = None
    return bare
