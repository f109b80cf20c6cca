"""The sweeps on this host: those where ``mlh sweep`` keeps them, and others whose runs the store knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mlharness.errors import UserError
from mlharness.paths import sweeps_dir
from mlharness.serving.trouble import NoPageError
from mlharness.store.index import roots_of
from mlharness.store.opening import Store
from mlharness.sweeping.directory import SWEEP, open_sweep


@dataclass(frozen=True)
class Found:
    """A sweep in the list; ``problem`` says why nothing more is known of it, and is mostly empty."""

    name: str
    link: str
    title: str = ""
    started: str = ""
    cells: int = 0
    runs: int = 0
    left: int = 0
    problem: str = ""


def sweep_paths(store: Store) -> dict[str, Path]:
    """The directories of sweeps by name, the latest first. Raises StoreError."""
    known = [root.parent for root in roots_of(store) if root.name == "runs"]
    own = [path.parent for path in sweeps_dir().glob(f"*/{SWEEP}")]
    found = {path.name: path for path in [*known, *own] if (path / SWEEP).is_file()}
    return dict(sorted(found.items(), reverse=True))


def find_sweep(store: Store, name: str) -> Path:
    """The directory of a sweep. Raises NoPageError (404) when there is none of that name."""
    found = sweep_paths(store).get(name)
    if found is None:
        raise NoPageError(404, f"There is no sweep {name!r}.", "Sweeps of other hosts are not here.")
    return found


def sweep_link(name: str) -> str:
    """The address of a sweep's page."""
    return f"/sweeps/{quote(name, safe='', errors='replace')}"


def look_at(path: Path) -> Found:
    """What a list says of a sweep, also of a damaged one."""
    link = sweep_link(path.name)
    try:
        directory = open_sweep(path)
        left = len(directory.left())
    except UserError as error:
        return Found(path.name, link, problem=error.message)
    started = directory.started[:16].replace("T", " ")
    cells = len(directory.sweep.cells)
    return Found(path.name, link, directory.sweep.name, started, cells, len(directory.order), left)
