"""Whether what is installed is what a run asks for; told from names and versions, nothing is imported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from packaging.requirements import Requirement

from mlharness.environments.record import Record, short
from mlharness.plugins import canonical


def lacking(record: Record, requires: Iterable[str], plugins: Collection[str]) -> list[str]:
    """What an environment lacks of these requirements and plugins, as a user would write it."""
    held = {member.name for member in record.members}
    missing = [name for name in sorted(plugins) if name not in held]
    return [*missing, *unmet(requires, record.packages, record.python)]


def unmet(requires: Iterable[str], packages: Mapping[str, str], python: str) -> list[str]:
    """The requirements that packages (canonical name and version) do not meet on that version of Python."""
    where = {"python_version": short(python), "python_full_version": python}
    found = []
    for text in requires:
        wish = Requirement(text)
        if wish.marker is not None and not wish.marker.evaluate(where):
            continue
        version = packages.get(canonical(wish.name))
        # pre-releases: what is installed was wanted by somebody
        if version is None or not wish.specifier.contains(version, prereleases=True):
            found.append(text)
    return found
