"""The environment of a run as a lock: what it had installed, if it still has, and the code that ran."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from mlharness.bundling.document import LOCK, PackedEnvironment
from mlharness.environments.choosing import installed_version, packages_here, record_of
from mlharness.environments.comparing import code_of
from mlharness.environments.creating import Telling, default_name
from mlharness.environments.locking import write_lock
from mlharness.environments.origins import code_here, members
from mlharness.environments.parts import EXTRA
from mlharness.environments.record import Record
from mlharness.errors import UserError
from mlharness.plan import RunPlan
from mlharness.plugins import GROUP, canonical
from mlharness.providers import FrameworkProvider

NO_LOCK = "Or leave the environment out with --no-lock: then mlh reproduce runs in the one that it finds."


@dataclass(frozen=True)
class Needs:
    """What a run needs beside the kernel: its framework, requirements of manifests, plugins and packages by name."""

    framework: FrameworkProvider
    requires: tuple[str, ...]
    plugins: frozenset[str]
    packages: frozenset[str] = frozenset()


def lock_environment(
    plan: RunPlan, system: Mapping[str, Any], needs: Needs, folder: Path, telling: Telling
) -> tuple[PackedEnvironment, dict[str, Path]]:
    """Lock the environment of a run.

    Args:
        plan: names its interpreter.
        system: what was installed there, and the digests of the code that ran.
        needs: what of it the run needs.
        folder: where lock and wheels are written.
        telling: whom to tell of the work.

    Returns:
        What the bundle says of it, and the files by their place in the bundle.

    Raises:
        UserError: the environment is not here, has changed since the run, or cannot be locked.
    """
    record = find_record(plan, needs)
    check_unchanged(record, system)
    lock, *wheels = write_lock(record, folder / Path(LOCK).name, telling)
    places = {LOCK: lock, **{f"{Path(LOCK).parent}/{path.parent.name}/{path.name}": path for path in wheels}}
    packed = PackedEnvironment(
        LOCK, record.framework, record.framework_version, record.python, this_platform(),
        tuple(sorted(name for name in places if name != LOCK)),
    )  # fmt: skip
    return packed, places


def this_platform() -> str:
    """As locks name it."""
    return f"{platform.system()} {platform.machine()}"


def find_record(plan: RunPlan, needs: Needs) -> Record:
    """The environment of the plan's interpreter: a created one, or that in which mlh runs, as far as it is needed."""
    interpreter = Path(plan.host.interpreter)
    found = record_of(str(interpreter))
    if found is not None:
        return found
    if interpreter.parent != Path(sys.executable).parent:
        raise UserError(
            f"the run was made with {interpreter}, and that is no environment of this mlh",
            f"Run mlh bundle where the run was made. {NO_LOCK}",
        )
    return record_here(plan, needs)


def record_here(plan: RunPlan, needs: Needs) -> Record:
    """The part of the environment in which mlh runs that a run needs: kernel, plugins, framework, and theirs."""
    provider, present = needs.framework, members()
    names = {"": provider.requirement, **provider.variants} if provider.requirement else {"": GROUP}
    variant, distribution = next((pair for pair in names.items() if is_installed(pair[1])), ("", GROUP))
    plugins = sorted(name for name in needs.plugins if name in present)
    extras = dict.fromkeys(plugins, (EXTRA,))
    roots = [GROUP, *plugins, distribution, *needs.packages, *(Requirement(text).name for text in needs.requires)]
    packages = closure(roots, extras)
    held = [present[name] for name in sorted(packages) if name in present]
    python = platform.python_version()
    version = (installed_version(provider) if provider.requirement else None) or metadata.version(GROUP)
    return Record(
        name=default_name(plan.framework.name, version, variant, python),
        framework=plan.framework.name,
        framework_version=version,
        distribution=distribution,
        variant=variant,
        python=python,
        interpreter=sys.executable,
        kernel_version=packages[GROUP],
        members=tuple(one if one.origin.kind == "editable" else replace(one, code=code_here(one.name)) for one in held),
        packages=packages,
        requires=needs.requires,
        created="",
    )


def closure(names: Iterable[str], extras: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """These distributions and all that they need, as they are installed: canonical name and version, sorted."""
    installed, waiting = packages_here(), [(canonical(name), extras.get(canonical(name), ())) for name in names]
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, wanted = one = waiting.pop()
        if one in seen or name not in installed:
            continue
        seen.add(one)
        found[name] = installed[name]
        for text in metadata.distribution(name).requires or ():
            need = Requirement(text)
            if any(need.marker is None or need.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((canonical(need.name), tuple(sorted(need.extras))))
    return dict(sorted(found.items()))


def is_installed(name: str) -> bool:
    """Whether a distribution is there."""
    return canonical(name) in packages_here()


def check_unchanged(record: Record, system: Mapping[str, Any]) -> None:
    """Raise UserError when the environment no longer holds what it held when the run was made."""
    then = {canonical(name): version for name, version in system.get("packages", {}).items()}
    changed = [
        f"{name} is {version}, and was {then.get(name, 'not there')}"
        for name, version in record.packages.items()
        if then.get(name) != version
    ]
    ran = system.get("code")
    if not isinstance(ran, dict):
        raise UserError("the run does not say which code it was made with", f"Make it again: mlh bench. {NO_LOCK}")
    now = code_of(record_of(record.interpreter))
    names = [member.name for member in record.members]
    changed += [f"the code of {name} has changed" for name in names if now.get(name) != ran.get(name)]
    if changed:
        raise UserError(
            f"the environment has changed since the run was made: {'; '.join(changed[:5])}",
            f"Make the run again, and bundle that; or install what was there. {NO_LOCK}",
        )


def packages_of(sources: Iterable[str]) -> frozenset[str]:
    """The distributions that carry the packages of ``pkg://`` sources."""
    carried = metadata.packages_distributions()
    tops = {source.partition("://")[2].partition("/")[0] for source in sources if source.startswith("pkg://")}
    return frozenset(canonical(name) for top in tops for name in carried.get(top, ()))
