"""Plugins and manifests, as commands ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlharness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from mlharness.manifest.library import ManifestLibrary
    from mlharness.plugins import Plugins


def discover(block: Sequence[str] = ()) -> Plugins:
    """All installed plugins but those that the user blocks. Raises UserError for a name that no plugin has."""
    from mlharness.plugins import build_manager, canonical

    plugins = build_manager(block=block)
    known = [plugin.name for plugin in plugins.found]
    for name in block:
        if canonical(name) not in known:
            raise UserError(f"--block {name}: no plugin has this name", did_you_mean(canonical(name), known))
    return plugins


def library(block: Sequence[str] = ()) -> ManifestLibrary:
    """The manifests that the installed plugins ship. Raises UserError as :func:`discover` does."""
    from mlharness.manifest.library import ManifestLibrary

    return ManifestLibrary(discover(block).catalog)
