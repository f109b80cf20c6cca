"""What there is to be seen: the list, a run, a comparison, sweeps."""

from __future__ import annotations

import platform

from werkzeug.wrappers import Request, Response

from mlharness.reporting.comparison import comparison_page
from mlharness.reporting.files import RunFiles
from mlharness.reporting.run import page_of, run_page
from mlharness.reporting.sweep import sweep_page
from mlharness.runs import Run, StoredRuns
from mlharness.serving.answers import answer, elsewhere, kept
from mlharness.serving.comparing import WAYS, read_sides
from mlharness.serving.frame import page, render, with_bar
from mlharness.serving.keeping import Keeper
from mlharness.serving.listing import list_page, run_link
from mlharness.serving.questions import read_question
from mlharness.serving.shelf import Shelf
from mlharness.serving.sweeps import find_sweep, look_at, sweep_paths
from mlharness.serving.trouble import NoPageError, answered
from mlharness.sweeping.directory import open_sweep

GONE = "Bring a copy of the directory back: mlh runs import PATH. Or let the store forget it: mlh runs index"


class Views:
    """Each method answers the requests of one kind of address, on several threads at once.

    Raises:
        MlharnessError: there is no such page; :func:`~mlharness.serving.trouble.status_of` knows the status.
    """

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._reports = Keeper()

    def runs(self, request: Request) -> Response:
        """The list."""
        return answer(list_page(self._shelf, read_question(request.args)))

    def run(self, request: Request, run_id: str) -> Response:
        """The report of a run."""
        runs = StoredRuns(self._shelf.open())
        with answered(404):
            found_id = runs.id_of(run_id)
        if found_id != run_id:
            return elsewhere(run_link(found_id))
        found = runs.stored(run_id)
        if not found.here:
            return answer(with_bar(page_of(known_of(found))))
        return kept(request, self._reports.get(found.directory, lambda path: with_bar(run_page(path))))

    def compare(self, request: Request) -> Response:
        """The comparison of chosen runs."""
        sides = read_sides(request.args, StoredRuns(self._shelf.open()))
        document = sides.compare()
        unfair = any(comparison["unfair"] for comparison in document["comparisons"])
        bar = render("sides.html", sides=sides, ways=WAYS, unfair=unfair)
        return answer(with_bar(comparison_page(document), below=bar))

    def sweeps(self, request: Request) -> Response:
        """The list of sweeps."""
        found = [look_at(path) for path in sweep_paths(self._shelf.open()).values()]
        return answer(page("sweeps.html", "Sweeps", here="sweeps", found=found))

    def sweep(self, request: Request, name: str) -> Response:
        """The page of a sweep."""
        path = find_sweep(self._shelf.open(), name)
        return kept(request, self._reports.get(path, lambda path: with_bar(sweep_page(open_sweep(path)))))


def known_of(run: Run) -> RunFiles:
    """A run of another host, as far as the store knows it. Raises NoPageError (410) when it was kept on this one."""
    if run.kept_on == platform.node():
        raise NoPageError(410, f"The files of run {run.run_id} are not here: they were in {run.whereabouts}.", GONE)
    note = f"This is what the store knows; the run directory is {run.whereabouts}."
    return RunFiles(run.directory, run.result, run.result["labels"], troubles=(note,))
