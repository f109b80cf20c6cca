"""Options that commands share: how to print, which plugins to leave out, and a model's name that completes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
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
    "--block", multiple=True, metavar="NAME", help="Do not load this plugin; can be given more than once.",
    shell_complete=lambda context, parameter, incomplete: complete_plugins(context, parameter, incomplete),
)  # fmt: skip
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

    from mlharness.cli.discovery import library

    found = _beginning(
        incomplete, lambda: [listing.name for listing in getattr(library(), kind)() if not listing.error]
    )
    return found or [CompletionItem(incomplete, type="file")]


def complete_plugins(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The names of plugins."""
    from mlharness.cli.discovery import discover

    return _beginning(incomplete, lambda: [plugin.name for plugin in discover().found])


def complete_frameworks(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The names of frameworks."""
    from mlharness.cli.discovery import discover

    return _beginning(incomplete, lambda: discover().catalog.frameworks.names())


def complete_devices(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The CPU, and the GPUs that the driver knows; frameworks are not asked, since that would import them."""
    return _beginning(incomplete, _devices)


def complete_framework_options(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """``KEY=`` of the framework's options, and ``KEY=VALUE`` where the values are few."""
    return _beginning(incomplete, lambda: _framework_options(context.params))


def complete_profiles(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """The profiles of the configuration files."""
    from mlharness.config import load_config

    return _beginning(incomplete, lambda: load_config(Path.cwd()).profiles())


framework_option: Callable[[F], F] = click.option(
    "--framework", metavar="NAME[==VERSION]", shell_complete=complete_frameworks,
    help="Framework instead of the manifest's.",
)  # fmt: skip
device_option: Callable[[F], F] = click.option(
    "--device", metavar="DEVICE", default="cpu", show_default=True, shell_complete=complete_devices,
    help="cpu or cuda:N.",
)  # fmt: skip


allow_http_option: Callable[[F], F] = click.option(
    "--allow-http", is_flag=True, help="Fetch files over plain http, too; their checksums are checked all the same.",
)  # fmt: skip


def _devices() -> list[str]:
    from mlharness.gpu import all_gpus

    gpus = list(all_gpus())
    for gpu in gpus:
        gpu.close()
    return ["cpu", *(f"cuda:{number}" for number in range(len(gpus)))]


def _framework_options(given: Mapping[str, Any]) -> Iterator[str]:
    """Those of the framework that the command line names, by itself or by its model; of every one when it does not."""
    from mlharness.cli.discovery import library
    from mlharness.planning import wished_framework

    manifests = library()
    shelf, name = manifests.catalog.frameworks, ""
    if given.get("framework"):
        name = wished_framework(given["framework"]).name
    elif given.get("model"):
        name = manifests.model(given["model"]).framework.name
    for provider in [shelf.find(name).provider] if name else [entry.provider for entry in shelf]:
        for option in provider.options:
            values = ("true", "false") if option.type == "boolean" else option.choices or ("",)
            yield from (f"{option.name}={value}" for value in values)


def _beginning(incomplete: str, names: Callable[[], Iterable[str]]) -> list[Any]:
    """What begins like this; nothing when it cannot be listed."""
    from click.shell_completion import CompletionItem

    try:
        return [CompletionItem(name) for name in sorted(set(names())) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001  # a traceback in the middle of someone's command line helps nobody
        return []


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
