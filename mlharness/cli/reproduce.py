"""``mlh reproduce``: the run of a bundle made again, and whether that gives what the bundle says."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.bundle import bundle_argument, data_dir_option, show_findings
from mlharness.cli.exits import ExitCode
from mlharness.cli.options import allow_http_option, block_option, output_options
from mlharness.cli.output import Output
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.bundling.opening import Opened
    from mlharness.bundling.reproducing import Permissions
    from mlharness.environments.record import Record
    from mlharness.plugins import Plugins
    from mlharness.request import Request


def _share(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """A share, written in percent: ``5%`` or ``5``. None when nothing is said."""
    if text is None:
        return None
    try:
        number = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        number = -1.0
    if not 0 <= number <= 10:
        raise UserError(f"--within {text!r} is no percentage from 0% to 1000%", "Write --within 10%.")
    return number


@dataclass(frozen=True)
class _Asked:
    """The options, but for how to print."""

    bundle: Path
    here: bool
    repeat: int
    within: float | None
    root: Path | None
    allowed: Permissions
    block: tuple[str, ...]


@click.command("reproduce")
@bundle_argument
@click.option("--here", is_flag=True, help="Run in the environment of this mlh, and say what differs.")
@click.option(
    "--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="Run so often; 5 give an interval."
)
@click.option(
    "--within",
    callback=_share,
    metavar="PERCENT",
    help="How far the figure may be from the bundle's; 100% if not said.",
)
@click.option("--trust", is_flag=True, help="Let the bundle's packages and Python be executed, now and later.")
@data_dir_option
@allow_http_option
@click.option("--output", "root", type=click.Path(path_type=Path), help="Folder for run directories.")
@block_option
@output_options
def command(
    bundle: Path, here: bool, repeat: int, within: float | None, trust: bool, data_dir: Path | None, allow_http: bool,
    root: Path | None, block: Sequence[str], output: Output,
) -> ExitCode:  # fmt: skip
    """Make the run of BUNDLE again: the same plan, in the same environment, with the same weights and data.

    The exit code is 0 when outputs and accuracy are the same, and the figure is as near as --within asks for; else 3.
    """
    from mlharness.bundling.reproducing import Permissions
    from mlharness.interrupts import interruptible

    asked = _Asked(bundle, here, repeat, within, root, Permissions(trust, allow_http, data_dir), tuple(block))
    with interruptible():
        found = _prepare(asked, output)
    if isinstance(found, ExitCode):
        return found
    if here:
        with interruptible():
            return _run(asked, found, output)
    with interruptible():
        record = _environment(asked, found, output)
    _become(record, asked, output)
    raise AssertionError("the process has become another")


def _prepare(asked: _Asked, output: Output) -> Opened | ExitCode:
    """The bundle, checked and put where it stays; FAILED when it does not hold."""
    from mlharness.bundling.findings import Checks
    from mlharness.bundling.opening import check_bundle, keep, open_into

    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
        output.note(f"checking {asked.bundle}")
        opened = open_into(asked.bundle, Path(scratch), checks)
        check_bundle(opened, checks)
        if checks.hold:
            return keep(opened)
    reasons = [f"{one.where}: {one.what}" for one in checks.findings]

    def people() -> None:
        output.line(f"{opened.document.run.id}: NOT RUN, since the bundle does not hold")
        show_findings(output, checks)

    output.show(lambda: _nothing(opened, asked, reasons), people)
    return ExitCode.FAILED


def _environment(asked: _Asked, opened: Opened, output: Output) -> Record:
    """The environment of the bundle, made now or found."""
    from mlharness.bundling.reproducing import rebuild, require_trust
    from mlharness.environments.creating import Telling
    from mlharness.manifest.trust import user_trust

    if opened.lock is not None:
        require_trust(opened, asked.allowed.trust, user_trust())
    record, made = rebuild(opened, Telling(output.note, output.detail))
    output.note(f"environment {record.name}: {'made' if made else 'an equal one is there'}")
    return record


def _become(record: Record, asked: _Asked, output: Output) -> None:
    """Go on as the mlh of the bundle's environment, whose kernel is the one that made the run."""
    from mlharness.environments.tools import clean_environment

    words = ["reproduce", str(asked.bundle.absolute()), "--here", "--repeat", str(asked.repeat)]
    words += ["--within", f"{100 * asked.within:g}%"] if asked.within is not None else []
    words += ["--trust"] if asked.allowed.trust else []
    words += ["--allow-http"] if asked.allowed.allow_http else []
    words += ["--data-dir", str(asked.allowed.data_dir.absolute())] if asked.allowed.data_dir else []
    words += ["--output", str(asked.root.absolute())] if asked.root else []
    words += [word for name in asked.block for word in ("--block", name)]
    words += ["--json"] * output.json + ["--quiet"] * output.quiet + ["-v"] * output.verbose
    words += [] if output.color else ["--no-color"]
    sys.stdout.flush()
    sys.stderr.flush()
    # isolated, as a runner of another environment is: nothing of this one shall reach it
    command_ = [record.interpreter, "-I", "-m", "mlharness", *words]
    os.execve(record.interpreter, command_, dict(clean_environment()))  # noqa: S606  # no shell is wanted


def _run(asked: _Asked, opened: Opened, output: Output) -> ExitCode:
    """Make the runs here, and judge them."""
    from mlharness.bundling.judging import WITHIN, judge
    from mlharness.bundling.reproducing import environment_differences
    from mlharness.cli.discovery import discover
    from mlharness.cli.reproduction import print_document, print_reasons
    from mlharness.comparing.runs import read_run
    from mlharness.errors import PluginError

    plugins = discover(asked.block)
    try:
        request = _request(asked, opened, plugins)
        reasons = _reasons_not_to_run(opened, request, plugins, output)
        if reasons:
            output.show(
                lambda: _nothing(opened, asked, reasons), lambda: print_reasons(output, opened.document.run.id, reasons)
            )
            return ExitCode.FAILED
        made = [_bench(request, plugins, output, number, asked.repeat) for number in range(1, asked.repeat + 1)]
    except PluginError as error:
        raise plugins.explain(error) from error
    runs = [read_run(request.root / result["run_id"]) for result in made]
    within = WITHIN if asked.within is None else asked.within
    document = {
        **judge(read_run(opened.run), runs, within),
        "bundle": _about(opened),
        "environment": {
            "interpreter": made[0]["framework"]["environment"],
            "differences": environment_differences(opened, runs[0].system),
        },
    }
    output.show(lambda: document, lambda: print_document(output, document))
    return ExitCode.DONE if document["reproduced"] else ExitCode.FAILED


def _request(asked: _Asked, opened: Opened, plugins: Plugins) -> Request:
    from mlharness.bundling.reproducing import missing_beside, request_of
    from mlharness.paths import runs_dir

    missing = missing_beside(opened)
    if missing:
        raise UserError(
            f"files were left out of the bundle: {', '.join(path.name for path in missing[:4])}",
            "Get them from whoever made the bundle, and put them here: " + ", ".join(map(str, missing[:4])),
        )
    return request_of(opened, plugins, asked.allowed, asked.root or runs_dir(), asked.block)


def _reasons_not_to_run(opened: Opened, request: Request, plugins: Plugins, output: Output) -> list[str]:
    """In what this would be another run: its plan with the weights, and its data."""
    from mlharness.bundling.reproducing import file_differences, plan_differences, plan_of
    from mlharness.cli.progress import make_watch

    with tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
        plan = plan_of(request, make_watch(output), Path(scratch) / "runner.log")
    return [*plan_differences(opened, plan), *file_differences(opened, request, plugins.catalog)]


def _bench(request: Request, plugins: Plugins, output: Output, number: int, count: int) -> dict[str, Any]:
    from mlharness.bench import bench
    from mlharness.cli.progress import make_observer

    if count > 1:
        output.note(f"run {number} of {count}")
    observer = make_observer(output)
    plugins.manager.register(observer)
    try:
        return bench(request)
    finally:
        observer.close()
        plugins.manager.unregister(observer)


def _about(opened: Opened) -> dict[str, Any]:
    return {"path": opened.path, "sha256": opened.sha256, "run": opened.document.run.id}


def _nothing(opened: Opened, asked: _Asked, reasons: Sequence[str]) -> dict[str, Any]:
    """The document when nothing was run."""
    return {
        "schema_version": 1, "reproduced": False, "within": asked.within, "reasons": list(reasons), "runs": [],
        "metrics": [], "accuracy": None, "differences": [], "bundle": _about(opened), "environment": None,
    }  # fmt: skip
