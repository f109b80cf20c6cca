"""Runs by name, for every command that takes some: the argument RUN, its completion, and who finds the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlharness.cli.output import Output

if TYPE_CHECKING:
    from mlharness.runs import Runs

F = TypeVar("F", bound=Callable[..., Any])


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Run ids that begin like this, then files; nothing at all when they cannot be listed."""
    from click.shell_completion import CompletionItem

    try:
        from mlharness.store.opening import open_store
        from mlharness.store.querying import ids_beginning

        found = ids_beginning(open_store(), incomplete, 1000)
    except Exception:  # noqa: BLE001  # a traceback in the middle of someone's command line helps nobody
        return []
    return [CompletionItem(name) for name in ["@last", *found] if name.startswith(incomplete)] or [
        CompletionItem(incomplete, type="file")
    ]


run_argument: Callable[[F], F] = click.argument("run", metavar="RUN", shell_complete=complete_runs)
"""Adds the argument RUN (keyword ``run``), a name for :meth:`mlharness.runs.Runs.find`."""


def known_runs(output: Output) -> Runs:
    """Finds runs by name; what is wrong with some that cannot be found is told on stderr."""
    from mlharness.runs import Runs

    return Runs(lambda text: output.warn([text]))
