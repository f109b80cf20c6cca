"""Makes the runs of a sweep, one after the other; one that fails is recorded and passed over."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlharness.bench import bench
from mlharness.choices import Choices
from mlharness.errors import PluginError, UserError
from mlharness.interrupts import interruptible
from mlharness.manifest.library import is_path
from mlharness.plugins import Plugins
from mlharness.request import Request, prepare
from mlharness.sweeping.cells import Cell
from mlharness.sweeping.directory import SweepDirectory
from mlharness.sweeping.journal import BUG, NOT_RUN, Entry
from mlharness.sweeping.order import Unit

Result = Mapping[str, Any]

NEEDED_BYTES = 1 << 20
"""The least space for a run: what it keeps for its result, and LoadGen's logs."""
_SETTINGS = {
    "duration": "duration_s",
    "target_latency": "target_latency_ms",
    "stall_timeout": "stall_timeout_s",
}
"""Settings that :class:`Choices` calls otherwise; it has a unit in its names."""


@dataclass(frozen=True)
class Permissions:
    """What the command line allows, which no file of a sweep can."""

    trust: bool = False
    allow_http: bool = False


@dataclass(frozen=True)
class Bench:
    """How one run of a sweep is made."""

    plugins: Plugins
    allowed: Permissions = Permissions()
    blocked: tuple[str, ...] = ()

    def request(self, cell: Cell, base: Path, root: Path, labels: Mapping[str, str]) -> Request:
        """The request for a cell, whose paths count from ``base``.

        Raises:
            UserError: the cell cannot run.
        """
        try:
            choices = replace(choices_of(cell, base), labels=labels, **vars(self.allowed))
            return prepare(located(cell.model, base), choices, self.plugins, root, self.blocked)
        except PluginError as error:
            raise self.plugins.explain(error) from error

    def __call__(self, directory: SweepDirectory, unit: Unit, earlier: Sequence[Result]) -> Result:
        """Make one run. Raises as :func:`mlharness.bench.bench` does."""
        request = self.request(unit.cell, directory.sweep.base, directory.runs, directory.labels(unit))
        try:
            return bench(request, earlier)
        except PluginError as error:
            raise self.plugins.explain(error) from error


Runner = Callable[[SweepDirectory, Unit, Sequence[Result]], Result]
"""Makes one run; the results are those of earlier runs of the same cell."""


@dataclass(frozen=True)
class Hearing:
    """Whom a sweep tells of its progress: of each run before it and after it, and of what a kill had left."""

    before: Callable[[Unit, int, int], None] = lambda unit, number, total: None
    after: Callable[[Unit, Entry], None] = lambda unit, entry: None
    adopted: Callable[[Sequence[str]], None] = lambda run_ids: None


def run_all(directory: SweepDirectory, runner: Runner, hearing: Hearing) -> None:
    """Make every run that is left.

    Raises:
        UserError: the disk is full, or somebody else works on this sweep; what was done is kept.
        KeyboardInterrupt: the user stopped it; what was done is kept.
    """
    with directory.locked(), interruptible() as interrupts:
        hearing.adopted(directory.tidy())
        total = len(directory.order)
        while left := directory.left():
            interrupts.check()
            refuse_full_disk(directory)
            unit = left[0]
            hearing.before(unit, total - len(left) + 1, total)
            entry = run_one(directory, unit, runner)
            directory.journal.add(entry)
            hearing.after(unit, entry)


def run_one(directory: SweepDirectory, unit: Unit, runner: Runner) -> Entry:
    """Make one run and say what became of it.

    Raises:
        UserError: the disk is full, so that no further run could be made either.
    """
    try:
        result = runner(directory, unit, earlier_results(directory, unit))
    except UserError as error:
        refuse_full_disk(directory, error)
        return Entry(*unit.key, NOT_RUN, message=error.message, remedy=error.remedy)
    except Exception as error:  # noqa: BLE001  # told with its traceback, and by the exit code: others can go on
        refuse_full_disk(directory, error)
        return Entry(*unit.key, BUG, message="".join(traceback.format_exception(error)))
    if result["status"] == "failed":
        refuse_full_disk(directory)
    return Entry(*unit.key, result["status"], result["run_id"], "; ".join(result["invalid_reasons"]))


def refuse_full_disk(directory: SweepDirectory, cause: Exception | None = None) -> None:
    """Raise UserError when the disk has no room for a run: that is no fault of a cell."""
    if shutil.disk_usage(directory.path).free < NEEDED_BYTES:
        raise UserError(f"the disk of {directory.path} is full", "Free some space, then resume.") from cause


def earlier_results(directory: SweepDirectory, unit: Unit) -> list[Result]:
    """The result of the first run of the same cell, whose outputs the next one should have."""
    entries = directory.journal.entries.values()
    found = (directory.result(entry.run_id) for entry in entries if entry.cell == unit.cell.id and entry.run_id)
    first = next((result for result in found if result), None)
    return [first] if first else []


def choices_of(cell: Cell, base: Path) -> Choices:
    """A cell as the options of ``mlh bench``."""
    settings = dict(cell.settings)
    if "max_wait" in settings:
        settings["max_wait_us"] = round(settings.pop("max_wait") * 1000)
    if "dataset" in settings:
        settings["dataset"] = located(settings["dataset"], base)
    if "data_dir" in settings:
        settings["data_dir"] = base / settings["data_dir"]
    if "options" in settings:
        settings["options"] = tuple(settings["options"])
    named = {_SETTINGS.get(key, key): value for key, value in settings.items()}
    return Choices(
        framework=cell.framework,
        device=cell.device,
        batch_size=cell.batch_size,
        instances=cell.instances,
        scenario=cell.scenario,
        **named,
    )


def located(name_or_path: str, base: Path) -> str:
    """A name as it is, a path counted from ``base``."""
    return str(base / name_or_path) if is_path(name_or_path) else name_or_path
