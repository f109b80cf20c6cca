"""``mlh trace export``: a run's trace for the tools that people look at traces with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import output_options
from mlharness.cli.output import Output
from mlharness.cli.run_names import known_runs, run_argument
from mlharness.cli.usage import SpellingGroup
from mlharness.errors import UserError

if TYPE_CHECKING:
    from mlharness.trace.exports.rows import Trace

FORMATS = ("perfetto", "chrome", "speedscope", "folded", "otlp")


@click.group(cls=SpellingGroup)
def command() -> None:
    """Export traces."""


@command.command("export")
@run_argument
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="perfetto", show_default=True, help="What to write."
)
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="File; else beside the run's trace.")
@click.option("--endpoint", metavar="URL", help="otlp: the collector, such as http://localhost:4318.")
@click.option(
    "--protocol", type=click.Choice(("http", "grpc")), default="http", show_default=True, help="otlp: how it is sent."
)
@output_options
def export(run: str, form: str, path: Path | None, endpoint: str | None, protocol: str, output: Output) -> ExitCode:
    """Write the trace of RUN for Perfetto, Chrome, speedscope or flame graphs, or send it to an OTLP collector."""
    from mlharness.trace.exports.rows import read_trace

    if (form == "otlp") != (endpoint is not None):
        raise UserError("--endpoint goes with --format otlp", "Give both, as --format otlp --endpoint URL.")
    directory = known_runs(output).find(run).files()
    trace = read_trace(directory)
    if endpoint is not None:
        return _send(trace, endpoint, protocol, output)
    from mlharness.trace.exports.table import FILES, write_file

    kind = FILES[form]
    target = path or directory / f"trace{kind.ending}"
    count = write_file(trace, form, target)
    document = {"run": trace.run_id, "format": form, "file": target, "spans": count, "bytes": target.stat().st_size}

    def tell() -> None:
        output.line(str(target))
        output.note(f"{count:,} spans; open it with {kind.opened_by}")

    output.show(lambda: document, tell)
    return ExitCode.DONE


def _send(trace: Trace, endpoint: str, protocol: str, output: Output) -> ExitCode:
    from mlharness.trace.exports.otlp import send

    count = send(trace, endpoint, protocol)
    document = {"run": trace.run_id, "format": "otlp", "endpoint": endpoint, "spans": count}
    output.show(lambda: document, lambda: output.line(f"{endpoint} has taken {count:,} spans"))
    return ExitCode.DONE
