"""Locks: a pip requirements file with the sha256 of every package of an environment, and wheels of what no index has.

pip does all of it: it finds each package's file and hash, builds the wheels, and checks them when a lock is installed.
A lock is for the platform and the Python of its environment. It is installed without dependencies, since it names all
packages, and those of a variant are not what the framework's plugin asks for.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.environments.creating import Telling, installs
from mlharness.environments.origins import Member, digest, here
from mlharness.environments.record import Record
from mlharness.environments.tools import Say, pip
from mlharness.errors import UserError
from mlharness.plugins import canonical

HEADER = "# mlharness environment lock, version 1"
WHEELS = "wheels"
INSTALL = ("install", "--require-hashes", "--only-binary", ":all:", "--no-deps")
"""How a lock is installed; its path follows ``--requirement``."""


@dataclass(frozen=True)
class Lock:
    """A lock's text; ``wheels`` are the files that it takes from the folder beside it."""

    text: str
    wheels: tuple[str, ...]


def write_lock(record: Record, target: Path, telling: Telling) -> list[Path]:
    """Write a lock, and what no index has to ``wheels/`` beside it; the files that were written, the lock first.

    Raises:
        UserError: it cannot be written, or a package cannot be locked.
    """
    wheels = target.parent / WHEELS
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = make_lock(record, wheels, telling)
        target.write_text(lock.text, "utf-8")
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}", "Choose another with --output.") from error
    return [target, *(wheels / name for name in lock.wheels)]


def make_lock(record: Record, wheels: Path | None, telling: Telling) -> Lock:
    """The lock of an environment.

    Args:
        record: the environment.
        wheels: where the wheels of source trees go; None when only their hashes are wanted.
        telling: whom to tell of the work.

    Raises:
        UserError: a package is no wheel of an index, or a source tree is not what was installed.
    """
    own = [member for member in record.members if member.origin.kind != "index"]
    rest = {name: version for name, version in record.packages.items() if name not in {one.name for one in own}}
    with tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
        built = build_wheels(record, own, wheels or Path(scratch) / WHEELS, telling)
        telling.stage(f"asking pip for the hashes of {len(rest)} packages")
        hashes = find_hashes(record, rest, Path(scratch) / "report.json", telling.line)
    hashes |= {name: sha256 for name, (_, sha256) in built.items()}
    if built and wheels is None:
        telling.stage("the lock needs wheels of kernel and plugins beside it, which --output FILE writes")
    return Lock(write_text(record, hashes, bool(built)), tuple(sorted(wheel for wheel, _ in built.values())))


def build_wheels(record: Record, own: Sequence[Member], folder: Path, telling: Telling) -> dict[str, tuple[str, str]]:
    """A wheel for each of these: its file's name and sha256, by the member's name."""
    built = {}
    for member in own:
        source = member.origin.source if member.origin.local else f"{member.name} @ {member.origin.source}"
        telling.stage(f"building the wheel of {member.name}")
        with tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
            command = ["wheel", "--no-deps", "--wheel-dir", scratch, source]
            pip(Path(record.interpreter), command, f"building the wheel of {member.name}", telling.line)
            (wheel,) = Path(scratch).glob("*.whl")
            check_code(member, wheel, record)
            content = wheel.read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / wheel.name).write_bytes(content)
        built[member.name] = (wheel.name, hashlib.sha256(content).hexdigest())
    return built


def check_code(member: Member, wheel: Path, record: Record) -> None:
    """Raise UserError when a source tree is no longer what the environment was made of."""
    if not member.code:
        return  # editable: the environment follows the tree
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
        archive.extractall(scratch)
        tops = sorted({name.split("/")[0].removesuffix(".py") for name in archive.namelist() if name.endswith(".py")})
        if digest(here(Path(scratch), tops)) == member.code:
            return
    raise UserError(
        f"{member.origin.source} has changed since {record.name} was made of it",
        f"Install {member.name} again where mlh runs, and run: mlh env create {record.framework}"
        f"=={record.framework_version}",
    )


def find_hashes(record: Record, packages: Mapping[str, str], report: Path, say: Say) -> dict[str, str]:
    """The sha256 of the wheel that pip would take for each package at its version."""
    pins = [f"{name}=={version}" for name, version in packages.items()]
    command = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--quiet"]
    pip(Path(record.interpreter), [*command, "--report", str(report), *pins], f"locking {record.name}", say)
    return {canonical(one["metadata"]["name"]): sha256_of(one) for one in installs(report)}


def sha256_of(install: Mapping[str, Any]) -> str:
    """The hash in one entry of pip's report. Raises UserError when the index gives none."""
    archive = install["download_info"].get("archive_info", {})
    found = archive.get("hashes", {}).get("sha256") or archive.get("hash", "").removeprefix("sha256=")
    if not found:
        name = install["metadata"]["name"]
        raise UserError(f"the index gives no sha256 for {name}", "Use an index that does, such as PyPI.")
    return str(found)


def write_text(record: Record, hashes: Mapping[str, str], has_wheels: bool) -> str:
    """The lock's text: who it is for, as a comment that :mod:`mlharness.environments.rebuilding` reads, then pins."""
    about = {
        "name": record.name,
        "framework": record.framework,
        "distribution": record.distribution,
        "variant": record.variant,
        "python": record.python,
        "platform": f"{platform.system()} {platform.machine()}",
        "requires": list(record.requires),
    }
    pins = [f"{name}=={version} --hash=sha256:{hashes[name]}" for name, version in record.packages.items()]
    links = [f"--find-links {WHEELS}"] if has_wheels else []
    return "\n".join([HEADER, f"# {json.dumps(about)}", *links, *pins]) + "\n"
