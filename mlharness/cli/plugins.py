"""``mlh plugins``: what is installed, what each plugin provides, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.options import block_option, output_options
from mlharness.cli.output import Output

if TYPE_CHECKING:
    from mlharness.plugins import Plugin, Plugins


@click.command()
@block_option
@output_options
def command(block: Sequence[str], output: Output) -> None:
    """List plugins: name, version, distribution, what each provides, and its error if it cannot be loaded.

    A name that two plugins provide is usable from neither until one of them is blocked.
    """
    from mlharness.cli.discovery import discover

    plugins = discover(block)
    rows = [_row(plugins, plugin) for plugin in plugins.found]
    output.show(lambda: {"plugins": rows, "conflicts": _conflicts(plugins)}, lambda: _print(output, plugins, rows))


def _row(plugins: Plugins, plugin: Plugin) -> dict[str, Any]:
    state = "error" if plugin.error else "blocked" if plugin.blocked else "loaded"
    return {
        "name": plugin.name,
        "version": plugin.version,
        "distribution": plugin.distribution,
        "builtin": plugin.builtin,
        "state": state,
        "error": plugin.error or None,
        # a distribution with two entry points is two rows of one name: the broken one provides nothing
        "provides": _provides(plugins, plugin.name) if state == "loaded" else {},
        "observes": _observes(plugins, plugin.name) if state == "loaded" else [],
    }


def _provides(plugins: Plugins, name: str) -> dict[str, list[str]]:
    found = {
        shelf.kind: sorted(entry.name for entry in shelf if entry.plugin == name) for shelf in plugins.catalog.shelves()
    }
    return {kind: names for kind, names in found.items() if names}


def _observes(plugins: Plugins, name: str) -> list[str]:
    hooks: set[str] = set()
    for registered, module in plugins.manager.list_name_plugin():
        if registered.rpartition(":")[0] == name and module is not None:
            hooks |= {caller.name for caller in plugins.manager.get_hookcallers(module) or ()}
    return sorted(hook for hook in hooks if hook.startswith("mlh_on_"))


def _conflicts(plugins: Plugins) -> list[dict[str, Any]]:
    found = []
    for shelf in plugins.catalog.shelves():
        for name in shelf.names():
            owners = sorted(entry.plugin for entry in shelf if entry.name == name)
            if len(owners) > 1:
                found.append({"kind": shelf.kind, "name": name, "plugins": owners})
    return found


def _print(output: Output, plugins: Plugins, rows: Sequence[dict[str, Any]]) -> None:
    columns = ("NAME", "VERSION", "DISTRIBUTION", "STATE", "PROVIDES")
    output.table(
        columns, [(row["name"], row["version"], row["distribution"], row["state"], _words(row)) for row in rows]
    )
    for conflict in _conflicts(plugins):
        owners = " and ".join(conflict["plugins"])
        output.note(
            f"{conflict['kind']} {conflict['name']!r} is provided by {owners}: neither is used until one is blocked."
        )


def _words(row: dict[str, Any]) -> str:
    if row["error"]:
        return " ".join(row["error"].split())
    provided = [f"{kind} {', '.join(names)}" for kind, names in row["provides"].items()]
    return "; ".join([*provided, *row["observes"]])
