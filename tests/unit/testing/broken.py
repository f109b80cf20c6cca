"""What the broken fakes share: providers that exist only in a test, and a check that must fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy
import pytest

from mlharness.plugins import Plugins
from mlharness.registrars import Catalog
from mlharness.testing import NonconformanceError


def only(register: Callable[[Catalog], None]) -> Plugins:
    """Plugins that provide what ``register`` puts into the catalog, and nothing else."""
    plugins = Plugins(pluggy.PluginManager("mlharness"))
    register(plugins.catalog)
    return plugins


def checks_of(suite: type) -> list[str]:
    """The names of a suite's checks."""
    return [name for name in dir(suite) if name.startswith("test_")]


def run_check(suite: Any, check: str, folder: Path) -> None:
    """Run one check as pytest would."""
    method = getattr(suite, check)
    arguments = {"tmp_path": folder} if "tmp_path" in method.__code__.co_varnames[: method.__code__.co_argcount] else {}
    method(**arguments)


def fails(suite: Any, check: str, folder: Path) -> str:
    """The message with which a check fails; it says what the contract asks for, and where."""
    with pytest.raises(NonconformanceError) as raised:
        run_check(suite, check, folder)
    message = str(raised.value)
    assert "\nThe contract asks: " in message
    assert "\nIt is written in " in message
    return message
