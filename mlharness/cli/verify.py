"""``mlh verify``: does a model answer the same on several frameworks?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import (
    allow_http_option,
    block_option,
    complete_datasets,
    device_option,
    model_argument,
    output_options,
)
from mlharness.cli.output import Output

if TYPE_CHECKING:
    from mlharness.verifying import Agreement, Answers


@click.command()
@model_argument
@click.option("--frameworks", metavar="A,B[,...]", required=True, help="Compare these; the first is the reference.")
@click.option("--dataset", metavar="NAME", shell_complete=complete_datasets, help="Data set instead of the manifest's.")
@click.option("--count", type=click.IntRange(1, 10_000), metavar="N", help="How many samples to compare.")
@click.option(
    "--tolerance", type=click.FloatRange(0, 1), metavar="T", help="Largest difference over the largest output."
)
@device_option
@click.option("--trust", is_flag=True, help="Let the manifest's Python be executed, now and later.")
@allow_http_option
@block_option
@output_options
def command(
    model: str,
    frameworks: str,
    dataset: str | None,
    count: int | None,
    tolerance: float | None,
    device: str,
    trust: bool,
    allow_http: bool,
    block: Sequence[str],
    output: Output,
) -> ExitCode:
    """Run the same inputs through MODEL on several frameworks and compare the outputs.

    The exit code is 3 when one lies further from the first than its tolerance, which depends on the outputs' dtype.
    """
    from mlharness.choices import Choices
    from mlharness.cli.discovery import discover
    from mlharness.cli.progress import make_watch
    from mlharness.errors import PluginError
    from mlharness.paths import runs_dir
    from mlharness.request import prepare
    from mlharness.verifying import SAMPLES, answer, compare, document, split_frameworks

    plugins = discover(block)
    try:
        asked = Choices(dataset=dataset, device=device, trust=trust, allow_http=allow_http)
        requests = [
            prepare(model, replace(asked, framework=name), plugins, runs_dir(), tuple(block))
            for name in split_frameworks(frameworks)
        ]
        reference, *others = [answer(request, count or SAMPLES, make_watch(output)) for request in requests]
        output.warn(dict.fromkeys(warning for request in requests for warning in request.warnings()))
    except PluginError as error:
        raise plugins.explain(error) from error
    agreements = [compare(reference, other, tolerance) for other in others]
    output.show(lambda: document(reference, agreements), lambda: _print(output, reference, agreements))
    return ExitCode.DONE if all(agreement.holds for agreement in agreements) else ExitCode.FAILED


def _print(output: Output, reference: Answers, agreements: Sequence[Agreement]) -> None:
    about = reference.about
    first = [reference.framework, about["framework_version"], _count(about["parameters"]), "reference", "", "", ""]
    rows = [
        [
            agreement.framework, agreement.version, _count(agreement.parameters),
            "agrees" if agreement.holds else "DIFFERS", _number(agreement.largest_difference),
            f"{agreement.tolerance:g}", agreement.problem or _share(agreement.top1_agreement),
        ]
        for agreement in agreements
    ]  # fmt: skip
    output.table(("FRAMEWORK", "VERSION", "PARAMETERS", "VERDICT", "DIFFERENCE", "TOLERANCE", "TOP-1"), [first, *rows])
    output.line(f"{about['samples']} samples; differences relative to the reference's largest output")


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2e}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.4g} % agree"
