"""Writes the table and the plots of a sweep into its directory."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mlharness import rundir
from mlharness.errors import UserError
from mlharness.sweeping.charts import charts_of
from mlharness.sweeping.directory import SweepDirectory
from mlharness.sweeping.table import TABLE, table_of

PLOTS = "plots"
INSTALL = "No pictures are drawn: pip install 'mlharness[plots]', then resume; their specifications are written."


def can_draw() -> bool:
    """Whether the extra ``plots`` is installed."""
    return find_spec("vl_convert") is not None


def write_table(directory: SweepDirectory) -> tuple[dict[str, Any], list[Path]]:
    """Write ``table.json`` and, for each chart, ``plots/NAME.vl.json`` and (when it can be drawn) ``plots/NAME.svg``.

    Returns:
        The table, and the files of the plots: the pictures where they are drawn, else the specifications.

    Raises:
        UserError: the disk refuses.
    """
    table = table_of(directory)
    rundir.write_json(directory.path / TABLE, table)
    folder, files = directory.path / PLOTS, []
    for name, spec in charts_of(table).items():
        try:
            folder.mkdir(exist_ok=True)
            rundir.write_json(folder / f"{name}.vl.json", spec)
            files.append(draw(spec, folder / f"{name}.svg") if can_draw() else folder / f"{name}.vl.json")
        except OSError as error:
            raise UserError(f"cannot write into {folder}: {error.strerror}", "Free some space, then resume.") from error
    return table, files


def draw(spec: Mapping[str, Any], path: Path) -> Path:
    """Draw a specification as SVG; needs the extra ``plots``, and no network."""
    import vl_convert

    path.write_text(vl_convert.vegalite_to_svg(dict(spec)), "utf-8")
    return path
