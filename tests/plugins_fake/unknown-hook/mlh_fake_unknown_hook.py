"""A plugin that implements a hook which does not exist."""

from __future__ import annotations

from typing import Any

from mlharness import hookimpl


@hookimpl
def mlh_register_framework(registrar: Any) -> None:
    """The hook's name has an s at its end."""
