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
from mlharness.manifest.problems import Problem, show
from mlharness.manifest.schema import find_departures, problem_at
from mlharness.registrars import Catalog
from mlharness.sweeping.cells import Cell, Where, axes_of, cells_of, matches, size, where_of

KIND = "sweep"
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
    if problems := find_problems(located):
        remedy = "Correct the line." if len(problems) == 1 else f"Correct these {len(problems)} places."
        raise ManifestError("\n".join(map(str, problems)), remedy)
    data = located.data
    order = data.get("order", "interleaved")
    return Sweep(
        name=data["name"],
        description=data.get("description", ""),
        file=str(path.absolute()),
        cells=tuple(expand(data)),
        repetitions=repetitions_of(data),
        seed=int(order["random"]) if isinstance(order, Mapping) else None,
    )


def is_sweep(path: Path) -> bool:
    """Whether a file says that it describes a sweep; one that cannot be read does not."""
    try:
        return read_located(path).data.get("kind") == KIND
    except ManifestError:
        return False


def check_sweep(path: Path) -> list[Problem]:
    """Every problem of a sweep's file. Raises ManifestError when it cannot be read at all, or is not plain YAML."""
    return find_problems(read_located(path))


def find_problems(located: Located) -> list[Problem]:
    """Every place that departs from the schema; else what the products are too large or too small for."""
    if located.data.get("kind") != KIND:
        found = show(located.data["kind"]) if "kind" in located.data else "missing"
        return [problem_at(located, ("kind",), found, KIND)]
    return find_departures(located, KIND) or list(check_products(located)) or list(check_cells(located))


def repetitions_of(data: Mapping[str, Any]) -> int:
    """How often each cell runs."""
    return int(data.get("repetitions", 1))


def check_products(located: Located) -> Iterator[Problem]:
    """No product is larger than can be handled; looked at before any is made."""
    axes = axes_of(located.data)
    products: list[tuple[KeyPath, int]] = [(("models",), size(axes))]
    for number, entry in enumerate(located.data.get("include", ())):
        products.append((("include", number), size({**axes, **where_of(entry)})))
    for key, cells in products:
        if cells > MAX_PRODUCT:
            found = f"a product of {cells:,} cells"
            yield problem_at(located, key, found, f"at most {MAX_PRODUCT:,}, and {MAX_RUNS:,} runs")


def check_cells(located: Located) -> Iterator[Problem]:
    """There is something to run, and not too much; an exclude that matches nothing is a mistake."""
    data, repetitions = located.data, repetitions_of(located.data)
    whole = product_of(data)
    for number, where in enumerate(excludes_of(data)):
        if not any(matches(cell, where) for cell in whole):
            yield problem_at(located, ("exclude", number), "matches no cell of the product")
    cells = sum(1 for _ in expand(data))
    if not cells:
        yield problem_at(located, ("exclude",), "every cell of the product is excluded", "at least one that is left")
    if cells * repetitions > MAX_RUNS:
        found = f"{cells:,} cells x {repetitions:,} repetitions are {cells * repetitions:,} runs"
        yield problem_at(located, ("repetitions",), found, f"at most {MAX_RUNS:,}")


def expand(data: Mapping[str, Any]) -> Iterator[Cell]:
    """The cells in order, each once: the product without what is excluded, then what is included."""
    excludes, axes = excludes_of(data), axes_of(data)
    found = {cell.id: cell for cell in product_of(data) if not any(matches(cell, where) for where in excludes)}
    for entry in data.get("include", ()):
        settings = {**data.get("settings", {}), **entry.get("settings", {})}
        found |= {cell.id: cell for cell in cells_of({**axes, **where_of(entry)}, settings)}
    yield from found.values()


def product_of(data: Mapping[str, Any]) -> list[Cell]:
    """The product of the lists."""
    return list(cells_of(axes_of(data), data.get("settings", {})))


def excludes_of(data: Mapping[str, Any]) -> list[Where]:
    """What is excluded."""
    return [where_of(entry) for entry in data.get("exclude", ())]


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
