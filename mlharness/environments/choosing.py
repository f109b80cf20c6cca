"""Chooses the environment of a run: this one when it will do, else the newest created one that does."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.specifiers import SpecifierSet

from mlharness.environments.comparing import differences
from mlharness.environments.fitting import lacking, unmet
from mlharness.environments.origins import distributions, members
from mlharness.environments.record import Record
from mlharness.environments.shelf import environments
from mlharness.errors import UserError
from mlharness.plugins import canonical
from mlharness.providers import FrameworkProvider


@dataclass(frozen=True)
class Wish:
    """What a run asks of its environment: a range of the framework's versions, requirements, and plugins by name."""

    framework: FrameworkProvider
    version: str = ""
    requires: tuple[str, ...] = ()
    plugins: frozenset[str] = frozenset()

    @property
    def command(self) -> str:
        """The command that makes such an environment."""
        words = ["mlh", "env", "create", f"{self.framework.name}{self.version}"]
        return shlex.join([*words, *(word for text in self.requires for word in ("--requires", text))])


def choose_environment(wish: Wish) -> str:
    """The interpreter to run with. No framework is imported.

    A framework that no distribution carries is a part of its plugin, and runs here.

    Raises:
        UserError: neither this environment nor a created one will do; the remedy is the commands that mend or make one.
    """
    if not wish.framework.requirement:
        if missing := missing_here(wish):
            raise UserError(f"what the manifest requires is not installed here: {', '.join(missing)}", pip(missing))
        return sys.executable
    version = installed_version(wish.framework)
    missing = missing_here(wish)
    if version is not None and within(wish, version) and not missing:
        return sys.executable
    stale, here = [], members()
    for record in environments():
        if not fits(wish, record, here):
            continue
        told = differences(record, here)
        if not told:
            return record.interpreter
        stale.append(f"the environment {record.name} is not used, since {'; '.join(told)}")
    fits_here = version is not None and within(wish, version)
    raise UserError(
        refusal(wish, version, stale), f"{pip(missing)} Or: {wish.command}" if fits_here else f"Run: {wish.command}"
    )


def missing_here(wish: Wish) -> list[str]:
    """What the manifests require and this environment has not."""
    return unmet(wish.requires, packages_here(), platform.python_version()) if wish.requires else []


def pip(missing: Sequence[str]) -> str:
    """The remedy that installs packages into this environment."""
    return f"Run: {shlex.join(['pip', 'install', *missing])}"


def fits(wish: Wish, record: Record, here: Collection[str]) -> bool:
    """Whether a created environment has the framework in the range, and all that is required.

    Of the plugins, those that are distributions count (``here`` names them); the others are built in.
    """
    return (
        record.framework == wish.framework.name
        and within(wish, record.framework_version)
        and not lacking(record, wish.requires, wish.plugins.intersection(here))
    )


def within(wish: Wish, version: str) -> bool:
    """Whether a version is in the range."""
    return SpecifierSet(wish.version).contains(version, prereleases=True)


def installed_version(framework: FrameworkProvider) -> str | None:
    """The version of the framework in this environment, by its own or a variant's distribution; None without one."""
    for name in (framework.requirement, *framework.variants.values()):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def packages_here() -> Mapping[str, str]:
    """Every distribution of this environment: canonical name and version."""
    found: dict[str, str] = {}
    for one in distributions():
        found.setdefault(canonical(one.name), one.version)
    return found


def refusal(wish: Wish, version: str | None, stale: Sequence[str]) -> str:
    """Why no environment will do."""
    asked = f"{wish.framework.name}{wish.version}"
    if version is None:
        here = f"{asked} is asked for, and {wish.framework.requirement} is not installed here"
    elif not within(wish, version):
        here = f"{asked} is asked for, and here is {version}"
    else:
        missing = missing_here(wish)
        here = f"{asked} is here, and what the manifest requires is not: {', '.join(missing)}"
    return "; ".join([here, *(stale or ["no created environment has it"])])


def record_of(interpreter: str) -> Record | None:
    """The created environment of an interpreter; None for any other."""
    return next((record for record in environments() if record.interpreter == interpreter), None)
