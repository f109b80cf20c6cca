"""Options that commands share: how to print, which plugins to leave out, and a model's name that completes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mlharness.cli.output import Output

F = TypeVar("F", bound=Callable[..., Any])

_OUTPUT: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option("--json", is_flag=True, help="Print one JSON document to stdout, and nothing else there."),
    click.option("-q", "--quiet", is_flag=True, help="Print no progress and no notes."),
    click.option("-v", "--verbose", count=True, help="Say more; twice for everything."),
    click.option("--no-color", is_flag=True, help="Print without colours (as the variable NO_COLOR does)."),
)

block_option: Callable[[F], F] = click.option(
    "--block", multiple=True, metavar="NAME", help="Do not load this plugin; can be given more than once."
)
"""Adds ``--block NAME`` (keyword ``block``, a tuple); give it to :func:`mlharness.cli.discovery.discover`."""


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json, -q, -v and --no-color; the command receives them as one ``output`` (:class:`Output`)."""

    @functools.wraps(command)
    def with_output(*args: Any, json: bool, quiet: bool, verbose: int, no_color: bool, **kwargs: Any) -> Any:
        above = _above(click.get_current_context(silent=True))
        output = Output(
            json=json or above.json,
            quiet=quiet or above.quiet,
            verbose=verbose + above.verbose,
            color=above.color and not no_color,
        )
        return command(*args, output=output, **kwargs)

    decorated: Callable[..., Any] = with_output
    for option in reversed(_OUTPUT):
        decorated = option(decorated)
    return decorated


def model_argument(command: F) -> F:
    """Add the argument MODEL (keyword ``model``): a manifest's name or path, completed in the shell."""
    return click.argument("model", metavar="MODEL", shell_complete=complete_models)(command)


def complete_models(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The names of models that begin like this, then files; nothing at all when they cannot be listed."""
    return _complete("models", incomplete)


def complete_datasets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The names of data sets that begin like this, then files; nothing at all when they cannot be listed."""
    return _complete("datasets", incomplete)


def _complete(kind: str, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    try:
        from mlharness.cli.discovery import library

        names = sorted({listing.name for listing in getattr(library(), kind)() if not listing.error})
    except Exception:  # noqa: BLE001  # a traceback in the middle of someone's command line helps nobody
        names = []
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def _above(context: click.Context | None) -> Output:
    """What the groups above were told: ``mlh models --json show NAME`` is ``mlh models show NAME --json``."""
    above = Output()
    while context is not None and context.parent is not None:
        context = context.parent
        given = context.params
        above = Output(
            json=above.json or bool(given.get("json")),
            quiet=above.quiet or bool(given.get("quiet")),
            verbose=above.verbose + int(given.get("verbose") or 0),
            color=above.color and not given.get("no_color"),
        )
    return above
