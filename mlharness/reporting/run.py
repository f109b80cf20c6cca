"""The page of a run: the verdict first, then the figures, then what they stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from mlharness.reporting.files import RunFiles, read_files
from mlharness.reporting.page import Section, make_page
from mlharness.reporting.rendering import render
from mlharness.reporting.run_ground import environment, reproduction, settings, system
from mlharness.reporting.run_latency import latencies
from mlharness.reporting.run_quality import disturbances, over_time
from mlharness.reporting.run_result import accuracy, figures, outcome, search

REPORT = "report.html"
"""The page's name in the directory of a run or of a sweep."""


def run_page(directory: Path, more: Sequence[Section] = ()) -> str:
    """The page of the run in a directory, whether it has a figure, has failed, or never ended.

    Args:
        directory: a run directory.
        more: sections that come before what the run stands on, after those about its trace.

    Raises:
        UserError: it is no run directory, its result is damaged or from a newer mlharness, or the extra ``plots``,
            which draws charts, is not installed.
    """
    return page_of(read_files(directory), more)


def page_of(files: RunFiles, more: Sequence[Section] = ()) -> str:
    """The page of a run of which so much is known. Raises UserError when the extra ``plots`` is not installed."""
    return make_page(f"{name_of(files)}: {files.status}", [*sections(files, more)], header=header(files), kind="run")


def sections(files: RunFiles, more: Sequence[Section] = ()) -> Iterator[Section]:
    """The parts of the page that have something to say."""
    parts = (outcome, figures, latencies, search, over_time, accuracy, disturbances)
    yield from (section for part in parts if (section := part(files)) is not None)
    yield from traced(files)
    yield from more
    ground = (reproduction, system, settings, environment)
    yield from (section for part in ground if (section := part(files)) is not None)


def traced(files: RunFiles) -> list[Section]:
    """What its trace tells."""
    if not files.result or not files.result.get("trace"):
        return []
    from mlharness.reporting.trace.sections import trace_sections  # a run without a trace needs nothing that reads one

    return trace_sections(files.directory)


def header(files: RunFiles) -> Markup:
    """What was run, and the verdict."""
    return render("run/header.html", files=files, name=name_of(files), about=about(files))


def about(files: RunFiles) -> dict[str, str | None]:
    """The few words that tell a run from others; of an incomplete one as its plan has them."""
    if files.result:
        framework = files.result["framework"]
        return {
            "framework": " ".join(filter(None, (framework["name"], framework["version"]))),
            "device": framework["device"],
            "scenario": files.result["scenario"],
            "rules": files.result["rules"],
            "started": files.result["started"],
        }
    framework, test = files.plan.get("framework", {}), files.plan.get("test", {})
    return {
        "framework": framework.get("name"),
        "device": framework.get("device"),
        "scenario": test.get("scenario"),
        "rules": test.get("rules"),
        "started": None,
    }


def name_of(files: RunFiles) -> str:
    """The model's name."""
    model = (files.result or files.plan).get("model", {})
    return str(model.get("name", files.run_id))
