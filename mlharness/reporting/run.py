"""The page of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlharness.reporting.page import Section, make_page
from mlharness.reporting.rendering import render
from mlharness.store.reading import read_record, read_result
from mlharness.wording import verdict

REPORT = "report.html"
"""The page's name in the directory of a run or of a sweep."""


def run_page(directory: Path, more: Sequence[Section] = ()) -> str:
    """The page of the run in a directory.

    Args:
        directory: a run directory.
        more: sections that come before what the run stands on, such as those about its trace.

    Raises:
        UserError: it is no run directory, a file in it is damaged or from a newer mlharness, or there are charts, and
            the extra ``plots`` is not installed.
    """
    record, result = read_record(directory), read_result(directory)
    header = render("run_header.html", result=result, verdict=verdict(result), labels=record.labels)
    return make_page(result["run_id"], more, header=header, kind="run")
