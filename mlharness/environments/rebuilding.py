"""Makes an environment from a lock: its packages and no others, their hashes checked, wheels only."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from mlharness.environments.creating import Order, Telling, make
from mlharness.environments.locking import HEADER, INSTALL, WHEELS
from mlharness.environments.origins import Origin
from mlharness.environments.pythons import find_python
from mlharness.environments.record import Record, short
from mlharness.errors import UserError
from mlharness.plugins import canonical

_PIN = re.compile(r"(?m)^([A-Za-z0-9][\w.-]*)==(\S+) ")


@dataclass(frozen=True)
class About:
    """Who a lock is for, as its second line says."""

    name: str
    framework: str
    distribution: str
    variant: str
    python: str
    platform: str
    requires: tuple[str, ...]


def create_from(lock: Path, python: str | None, name: str | None, telling: Telling) -> tuple[Record, bool]:
    """Make the environment of a lock, or find it made: its record, and whether it was made now.

    Its kernel may be another than the running one; such an environment serves its own ``mlh`` only.

    Raises:
        UserError: this is no lock, or pip could not install it (a hash differs, no wheel for this host); nothing of
            it is left.
        KeyboardInterrupt: the user stopped it; nothing of it is left.
    """
    about, pins = read_lock(lock)
    path, version = find_python(python or short(about.python))
    if short(version) != short(about.python):
        raise UserError(
            f"{lock} is for Python {short(about.python)}, and --python {python} is asked for", "Leave --python out."
        )
    command = [*INSTALL[1:], "--requirement", str(lock.absolute())]
    order = Order(
        name or about.name, about.framework, about.distribution, about.variant, path, version, about.requires,
        lambda requires: [command], any_kernel=True, finish=partial(keep_wheels, lock),
    )  # fmt: skip

    def differs(record: Record) -> bool:
        if dict(record.packages) != pins:
            raise UserError(
                f"the environment {record.name} is there, and holds other packages than {lock}",
                f"Choose another --name, or run: mlh env remove {record.name}",
            )
        return False

    return make(order, telling, differs)


def keep_wheels(lock: Path, folder: Path, record: Record) -> Record:
    """Copy the wheels beside a lock into the environment, so that it can be exported without them; its new record."""
    text = lock.read_text("utf-8")
    kept = {}
    for wheel in (lock.parent / WHEELS).glob("*.whl"):
        content = wheel.read_bytes()
        if hashlib.sha256(content).hexdigest() in text:  # the folder may serve several locks
            copy = folder / WHEELS / wheel.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(content)
            kept[canonical(wheel.name.split("-")[0])] = Origin("archive", str(copy))
    held = (replace(member, origin=kept.get(member.name, member.origin)) for member in record.members)
    return replace(record, members=tuple(held))


def read_lock(lock: Path) -> tuple[About, dict[str, str]]:
    """Who a lock is for, and its packages: canonical name and version. Raises UserError when it is none."""
    try:
        text = lock.read_text("utf-8")
        header, _, rest = text.partition("\n")
        if header != HEADER:
            raise UserError(f"{lock} is no lock of an environment", "Write one with: mlh env export NAME --output LOCK")
        about = msgspec.convert(json.loads(rest.split("\n", 1)[0].removeprefix("# ")), About)
    except OSError as error:
        raise UserError(f"{lock} cannot be read: {error.strerror}", "Check the path.") from error
    except (ValueError, msgspec.ValidationError) as error:
        raise UserError(f"{lock}: its second line is damaged: {error}", "Export the environment again.") from error
    return about, {canonical(name): version for name, version in _PIN.findall(rest)}
