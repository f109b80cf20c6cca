"""Makes environments. A half-made one is never used.

A virtual environment cannot be moved: its scripts, and the paths of what is editable, name the place where it was made.
So it is made where it is to stay, and is no environment until its record is there, which is written last and appears
at once. A folder without a record is removed and made anew; whoever makes it holds its lock.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from mlharness.environments.comparing import differences
from mlharness.environments.fitting import lacking
from mlharness.environments.origins import distributions, members, with_code
from mlharness.environments.recipe import Recipe
from mlharness.environments.record import Record, read_record, short, site_of, write_record
from mlharness.environments.shelf import alone, discard
from mlharness.environments.tools import Say, pip, run
from mlharness.errors import UserError
from mlharness.plugins import GROUP, canonical


@dataclass(frozen=True)
class Telling:
    """Whom to tell: of each stage, and of each line that pip prints."""

    stage: Say = lambda text: None
    line: Say = lambda text: None


@dataclass(frozen=True)
class Order:
    """An environment as it is to be: what its record will say, and the ``pip install`` commands that fill it.

    ``commands`` gets the requirements, those of an environment that is made anew included. ``any_kernel`` allows
    another kernel than the running one; ``finish`` may add to the folder, and say so in the record.
    """

    name: str
    framework: str
    distribution: str
    variant: str
    python: Path
    python_version: str
    requires: tuple[str, ...]
    commands: Callable[[tuple[str, ...]], list[list[str]]]
    any_kernel: bool = False
    finish: Callable[[Path, Record], Record] = lambda folder, record: record


def create(recipe: Recipe, name: str | None, telling: Telling) -> tuple[Record, bool]:
    """Make the environment of a recipe, or find it made.

    Args:
        recipe: what goes into it.
        name: what to call it; None for framework, version, variant and Python.
        telling: whom to tell of the work.

    Returns:
        Its record, and whether it was made now.

    Raises:
        UserError: there is no such version, or pip could not install it; nothing of it is left.
        KeyboardInterrupt: the user stopped it; nothing of it is left.
    """
    telling.stage(f"looking up {recipe.wished} for Python {recipe.python_version}")
    version = look_up(recipe.wished, recipe.python, telling.line)
    order = Order(
        name or default_name(recipe.framework, version, recipe.variant, recipe.python_version),
        recipe.framework,
        recipe.wished.name,
        recipe.variant,
        recipe.python,
        recipe.python_version,
        recipe.requires,
        lambda requires: recipe.commands(version, requires),
    )
    wanted = (*order.requires, f"{order.distribution}=={version}")
    names = {canonical(member.name) for member in (*recipe.others, recipe.part.member)}
    return make(order, telling, lambda record: bool(lacking(record, wanted, names) or differences(record)))


def default_name(framework: str, version: str, variant: str, python: str) -> str:
    """``torch-2.13.0-py3.11``, ``onnxruntime-1.20.0-gpu-py3.11``."""
    return "-".join([framework, version, *([variant] if variant else []), f"py{short(python)}"])


def make(order: Order, telling: Telling, outdated: Callable[[Record], bool]) -> tuple[Record, bool]:
    """Make an environment unless it is there and not ``outdated``; see :func:`create`.

    One that is outdated is made anew with what it was made to require before, too.
    """
    with alone(order.name, telling.stage) as folder:
        present = read_record(folder)
        if present is not None and not outdated(present):
            return present, False
        if present is not None:
            check_replaceable(present, order)
        requires = tuple(dict.fromkeys([*order.requires, *(present.requires if present else ())]))
        discard(folder)
        try:
            fill(folder, order, requires, telling)
            record = order.finish(folder, describe(folder, order, requires))
            if not order.any_kernel:
                check_complete(record)
            write_record(folder, record)
        except BaseException:
            with suppress(UserError):  # without a record it is not used; why it was not made is what matters
                discard(folder)
            raise
        return record, True


def check_replaceable(present: Record, order: Order) -> None:
    """Raise UserError when an environment of that name is for something else: the user chose the name before."""
    if (present.framework, present.variant, short(present.python)) != (
        order.framework, order.variant, short(order.python_version),
    ):  # fmt: skip
        raise UserError(
            f"the environment {order.name} is there, with {present.framework} {present.framework_version} "
            f"on Python {present.python}",
            f"Choose another --name, or run: mlh env remove {order.name}",
        )


def look_up(wished: Requirement, python: Path, say: Say) -> str:
    """The version of a distribution that pip would take. Raises UserError when there is none."""
    with tempfile.TemporaryDirectory(prefix="mlharness-") as folder:
        report = Path(folder) / "report.json"
        command = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", str(report)]
        pip(python, [*command, str(wished)], f"looking up {wished}", say)
        return str(installs(report)[0]["metadata"]["version"])


def installs(report: Path) -> list[Any]:
    """What pip's report says that it would install."""
    return list(json.loads(report.read_text("utf-8"))["install"])


def fill(folder: Path, order: Order, requires: tuple[str, ...], telling: Telling) -> None:
    """Make the virtual environment and install into it."""
    telling.stage(f"making {folder} with Python {order.python_version}")
    # Without pip: that beside mlh serves it.
    run([str(order.python), "-I", "-m", "venv", "--without-pip", str(folder)], f"making {folder}", telling.line)
    for words in order.commands(requires):
        telling.stage(f"pip install {' '.join(words)}")
        try:
            pip(folder / "bin" / "python", ["install", *words], f"pip install for {order.name}", telling.line)
        except UserError as error:
            raise blame_requirement(error, requires) from error


def blame_requirement(error: UserError, requires: Sequence[str]) -> UserError:
    """What pip could not do; when one of the requirements cannot be had, with that named before pip's own words."""
    for one in requires:
        name = re.escape(Requirement(one).name)
        if re.search(rf"(No matching distribution found for|the requirement) {name}(?![\w.-]*\w)", error.message):
            return UserError(
                f"there is no {one}, which is required: {error.message}",
                "Correct requires in the manifest, or --requires; -v shows all that pip says.",
            )
    return error


def describe(folder: Path, order: Order, requires: tuple[str, ...]) -> Record:
    """The record of what has been installed. Raises UserError when the framework is not among it."""
    site = site_of(folder, order.python_version)
    packages = packages_in(site)
    version = packages.get(canonical(order.distribution))
    held = tuple(with_code(member, site) for _, member in sorted(members(site).items()))
    if version is None or GROUP not in packages:
        missing = GROUP if version else order.distribution
        raise UserError(
            f"pip ended well, and {missing} is not in {site}",
            "Look for settings that make pip install elsewhere: pip config list, and variables PIP_TARGET, PIP_PREFIX.",
        )
    return Record(
        name=order.name,
        framework=order.framework,
        framework_version=version,
        distribution=order.distribution,
        variant=order.variant,
        python=order.python_version,
        interpreter=str(folder / "bin" / "python"),
        kernel_version=packages[GROUP],
        members=held,
        packages=packages,
        requires=requires,
        created=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
    )


def packages_in(site: Path) -> dict[str, str]:
    """Every distribution in a ``site-packages``, sorted: canonical name and version."""
    return dict(sorted((canonical(one.name), one.version) for one in distributions(site)))


def check_complete(record: Record) -> None:
    """Raise UserError when what was installed is not what runs here: a source tree was edited in the meantime."""
    told = differences(record)
    if told:
        raise UserError(
            f"the environment would not hold what runs here: {'; '.join(told)}",
            f"Install it again where mlh runs ({sys.prefix}), from the source tree as it is now.",
        )
