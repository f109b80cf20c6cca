"""Discovery: entry points of group ``mlharness`` become one plugin manager, one catalog and a list of load errors.

A plugin that cannot be loaded never breaks ``mlh``: its error is kept, shown by ``mlh plugins``, and named when a run
needs what it would have provided.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pluggy

from mlharness import hookspecs, registrars
from mlharness.errors import PluginError, did_you_mean
from mlharness.registrars import Catalog

GROUP = "mlharness"
BLOCK_VARIABLE = "MLH_BLOCK_PLUGINS"

_PROVIDER_HOOKS: tuple[tuple[str, Callable[[Catalog, str], Any]], ...] = (
    ("mlh_register_frameworks", registrars.FrameworkRegistrar),
    ("mlh_register_datasets", registrars.DataSetRegistrar),
    ("mlh_register_steps", registrars.StepRegistrar),
    ("mlh_register_metrics", registrars.MetricRegistrar),
    ("mlh_register_sources", registrars.SourceRegistrar),
    ("mlh_register_tracers", registrars.TracerRegistrar),
    ("mlh_register_manifests", registrars.ManifestRegistrar),
)


@dataclass
class Plugin:
    """One discovered plugin. ``name`` is what ``--block`` takes: the distribution's name, or the built-in's own."""

    name: str
    version: str
    distribution: str
    builtin: bool
    error: str = ""
    blocked: bool = False


@dataclass
class Plugins:
    """The loaded plugins: pluggy's manager for observers, the catalog of providers, and what went wrong."""

    manager: pluggy.PluginManager
    catalog: Catalog = field(default_factory=Catalog)
    found: list[Plugin] = field(default_factory=list)

    def explain(self, error: PluginError) -> PluginError:
        """The same error, with the plugins that could not be loaded named, since one of them may be the cause."""
        return PluginError(error.message, f"{error.remedy} {self.missing()}".strip())

    def missing(self) -> str:
        """The plugins that could not be loaded and those that are blocked, in a sentence each; empty without any."""
        broken = [f"{plugin.name} ({plugin.error})" for plugin in self.found if plugin.error]
        blocked = [plugin.name for plugin in self.found if plugin.blocked]
        notes = [f"Not loaded: {'; '.join(broken)}."] if broken else []
        notes += [f"Blocked: {', '.join(blocked)}."] if blocked else []
        return " ".join(notes)


def build_manager(
    allow: Iterable[str] | None = None,
    block: Iterable[str] = (),
    entry_points: Iterable[metadata.EntryPoint] | None = None,
) -> Plugins:
    """Discover, load and register plugins.

    Args:
        allow: names to load; None loads all.
        block: names not to load, added to those in the environment variable MLH_BLOCK_PLUGINS.
        entry_points: what to load instead of the installed ones (tests).
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager)
    allowed = None if allow is None else {canonical(name) for name in allow}
    blocked = {canonical(name) for name in (*block, *os.environ.get(BLOCK_VARIABLE, "").split(","))}
    for entry in metadata.entry_points(group=GROUP) if entry_points is None else entry_points:
        plugin = describe(entry)
        if allowed is not None and plugin.name not in allowed:
            continue
        plugins.found.append(plugin)
        plugin.blocked = plugin.name in blocked
        if not plugin.blocked:
            load_plugin(plugins, plugin, entry)
    plugins.found.sort(key=lambda plugin: (plugin.builtin, plugin.name))
    return plugins


def describe(entry: metadata.EntryPoint) -> Plugin:
    """What an entry point says of itself, without importing it."""
    distribution, version = _metadata(entry)
    name = canonical(distribution or entry.name)
    builtin = name == GROUP
    return Plugin(canonical(entry.name) if builtin else name, version, distribution, builtin)


def load_plugin(plugins: Plugins, plugin: Plugin, entry: metadata.EntryPoint) -> None:
    """Import one plugin and let it register; whatever it raises becomes its error and leaves nothing behind."""
    staged = Catalog()
    try:
        module = entry.load()
        check_hook_api(module)
        check_hook_names(module)
        plugins.manager.register(module, name=f"{plugin.name}:{entry.name}")
        register_providers(plugins, plugin, module, staged)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any failure of a plugin is the plugin's, kept and shown
        if plugins.manager.has_plugin(f"{plugin.name}:{entry.name}"):
            plugins.manager.unregister(name=f"{plugin.name}:{entry.name}")
        plugin.error = f"{type(error).__name__}: {error}" if not isinstance(error, PluginError) else str(error)
    else:
        plugins.catalog.absorb(staged)


def check_hook_api(module: object) -> None:
    """Raise PluginError for a plugin written for hooks that this mlharness does not have yet."""
    wanted = getattr(module, "MLHARNESS_HOOK_API", hookspecs.HOOK_API)
    if wanted > hookspecs.HOOK_API:
        raise PluginError(f"needs hook API {wanted}, and this mlharness has {hookspecs.HOOK_API}: upgrade mlharness")


def check_hook_names(module: object) -> None:
    """Raise PluginError for a hook implementation that no hook answers to (pluggy would ignore it)."""
    known = {name for name in dir(hookspecs) if name.startswith("mlh_")}
    for name in dir(module):
        marked = getattr(getattr(module, name), f"{GROUP}_impl", None)
        # pluggy marks with a dict; some objects (mocks) answer any attribute with something else
        if isinstance(marked, dict) and name not in known:
            raise PluginError(f"there is no hook {name!r}. {did_you_mean(name, known)}")


def register_providers(plugins: Plugins, plugin: Plugin, module: object, catalog: Catalog) -> None:
    """Call the provider hooks of one module with registrars that carry the plugin's name and fill the catalog."""
    for hook, registrar in _PROVIDER_HOOKS:
        for implementation in getattr(plugins.manager.hook, hook).get_hookimpls():
            if implementation.plugin is module:
                implementation.function(*[registrar(catalog, plugin.name) for _ in implementation.argnames])


def canonical(name: str) -> str:
    """A distribution's name in PyPI's normal form."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _metadata(entry: metadata.EntryPoint) -> tuple[str, str]:
    """The name and version of an entry point's distribution; empty when its metadata is missing or broken."""
    if entry.dist is None:
        return "", ""
    try:
        return entry.dist.name or "", entry.dist.version or ""
    except Exception:  # noqa: BLE001  # what a half-removed distribution raises differs between versions of Python
        return "", ""
