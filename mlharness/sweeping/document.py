"""The YAML file of a sweep, held against ``schemas/sweep.v1.schema.json``, as a frozen :class:`Sweep`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlharness.errors import ManifestError, PluginError, UserError, did_you_mean
from mlharness.manifest.library import is_path
from mlharness.manifest.located import KeyPath, Located, read_located
from mlharness.manifest.problems import Problem
from mlharness.manifest.schema import find_departures, problem_at
from mlharness.registrars import Catalog
from mlharness.sweeping.cells import Cell, axes_of, cells_of, matches, size, where_of

MAX_RUNS = 10_000
"""Runs of one sweep: at ten seconds each, more than a day."""
MAX_PRODUCT = 100_000
"""Cells of a product before anything is excluded."""


@dataclass(frozen=True)
class Sweep:
    """A sweep, resolved: which cells, how often and in which order.

    Attributes:
        file: where it was read from; paths in its cells count from the folder of this file.
        seed: of the random order; None when rounds are interleaved.
    """

    name: str
    description: str
    file: str
    cells: tuple[Cell, ...]
    repetitions: int = 1
    seed: int | None = None

    @property
    def base(self) -> Path:
        """The folder from which paths count."""
        return Path(self.file).parent

    @property
    def sha256(self) -> str:
        """Of what is asked, wherever the file lies."""
        asked = {key: value for key, value in asdict(self).items() if key != "file"}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def read_sweep(path: Path) -> Sweep:
    """Read a sweep's file.

    Raises:
        ManifestError: the file cannot be read, does not follow its schema, or asks for nothing or too much; every
            problem is listed with its line.
    """
    located = read_located(path)
    refuse(find_problems(located))
    data = located.data
    cells = tuple(expand(located))
    order = data.get("order", "interleaved")
    seed = int(order["random"]) if isinstance(order, Mapping) else None
    sweep = Sweep(
        data["name"], data.get("description", ""), str(path.absolute()), cells, repetitions_of(data), seed
    )  # fmt: skip
    refuse(list(check_amount(located, len(cells))))
    return sweep


def refuse(problems: list[Problem]) -> None:
    """Raise ManifestError that lists the problems, if there are any."""
    if problems:
        remedy = "Correct the line." if len(problems) == 1 else f"Correct these {len(problems)} places."
        raise ManifestError("\n".join(map(str, problems)), remedy)


def find_problems(located: Located) -> list[Problem]:
    """Every place that departs from the schema; else every list whose product is too large."""
    if located.data.get("kind") != "sweep":
        found = f"{located.data['kind']!r}" if "kind" in located.data else "missing"
        return [problem_at(located, ("kind",), found, "sweep")]
    return find_departures(located, "sweep") or list(check_products(located))


def repetitions_of(data: Mapping[str, Any]) -> int:
    """How often each cell runs."""
    return int(data.get("repetitions", 1))


def check_products(located: Located) -> Iterator[Problem]:
    """No product is larger than can be handled; looked at before any is made."""
    data = located.data
    axes = axes_of(data)
    products: list[tuple[KeyPath, int]] = [(("models",), size(axes))]
    for number, entry in enumerate(data.get("include", ())):
        products.append((("include", number), size({**axes, **where_of(entry)})))
    for key, cells in products:
        if cells > MAX_PRODUCT:
            found = f"a product of {cells:,} cells"
            yield problem_at(located, key, found, f"at most {MAX_PRODUCT:,}, and {MAX_RUNS:,} runs")


def check_amount(located: Located, cells: int) -> Iterator[Problem]:
    """There is something to run, and not too much."""
    repetitions = repetitions_of(located.data)
    if not cells:
        yield problem_at(located, ("exclude",), "every cell of the product is excluded", "at least one that is left")
    if cells * repetitions > MAX_RUNS:
        found = f"{cells:,} cells x {repetitions:,} repetitions are {cells * repetitions:,} runs"
        yield problem_at(located, ("repetitions",), found, f"at most {MAX_RUNS:,}")


def expand(located: Located) -> Iterator[Cell]:
    """The cells in order, each once: the product without what is excluded, then what is included.

    Raises:
        ManifestError: an exclude that matches nothing, which is a mistake.
    """
    data = located.data
    axes, settings = axes_of(data), data.get("settings", {})
    whole = list(cells_of(axes, settings))
    excludes = [where_of(entry) for entry in data.get("exclude", ())]
    idle = [number for number, where in enumerate(excludes) if not any(matches(cell, where) for cell in whole)]
    refuse([problem_at(located, ("exclude", number), "matches no cell of the product") for number in idle])
    found = {cell.id: cell for cell in whole if not any(matches(cell, where) for where in excludes)}
    for entry in data.get("include", ()):
        own = {**axes, **where_of(entry)}
        found |= {cell.id: cell for cell in cells_of(own, {**settings, **entry.get("settings", {})})}
    yield from found.values()


def find_sweep(name: str, catalog: Catalog) -> Path:
    """The file of a sweep: a path, or the name of one in the folder ``sweeps`` beside a plugin's manifests.

    Raises:
        UserError: no sweep has this name, or several have.
    """
    if is_path(name):
        return Path(name)
    shipped = [path for entry in catalog.manifests for path in sorted((entry.provider.path / "sweeps").glob("*.yaml"))]
    found = [path for path in shipped if path.stem == name]
    if not found:
        known = did_you_mean(name, (path.stem for path in shipped))
        raise PluginError(f"no sweep is named {name!r}", f"{known} For a file, give a path that ends in .yaml.")
    if len(found) > 1:
        paths = " and ".join(map(str, found))
        raise UserError(f"sweep {name!r} is shipped as {paths}", "Give the path of the one that you mean.")
    return found[0]
