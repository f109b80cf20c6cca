"""Which environment a run takes, and what it says when there is none."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from importlib import metadata
from typing import Any

import pytest

from mlharness.environments import choosing
from mlharness.environments.choosing import Wish, choose_environment
from mlharness.environments.fitting import unmet
from mlharness.environments.record import short
from mlharness.errors import UserError
from tests.unit.environments.making import a_kernel, a_record, provider, put


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed where mlh runs; changed by a test."""
    packages: dict[str, str] = {"numpy": "2.1"}

    def version(name: str) -> str:
        if name not in packages:
            raise metadata.PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(choosing, "packages_here", lambda: packages)
    monkeypatch.setattr(metadata, "version", version)
    return packages


def wish(version: str = "", requires: tuple[str, ...] = (), **fields: Any) -> Wish:
    return Wish(provider(variants={"fast": "fake-engine-fast"}, **fields), version, requires)


def test_a_framework_without_a_distribution_runs_here() -> None:
    assert choose_environment(Wish(provider(""), "==9", ("numpy>=2",))) == sys.executable


def test_what_the_manifest_requires_is_missed_by_one_without_a_distribution_too() -> None:
    with pytest.raises(UserError, match="what the manifest requires is not installed here: no-such-thing>=2") as caught:
        choose_environment(Wish(provider(""), "", ("numpy", "no-such-thing>=2")))
    assert caught.value.remedy == "Run: pip install 'no-such-thing>=2'"


@pytest.mark.parametrize("distribution", ["fake-engine", "fake-engine-fast"])
def test_here_is_good_enough_when_the_version_is_in_the_range(installed: dict[str, str], distribution: str) -> None:
    put(a_record())
    installed[distribution] = "2.0.1rc1"
    assert choose_environment(wish(">=2")) == sys.executable
    assert choose_environment(wish(">=2", ("numpy>=2",))) == sys.executable


def test_else_the_newest_that_has_all(installed: dict[str, str]) -> None:
    installed["fake-engine"] = "1.0"
    put(a_record("old", created="2026-01-01"))
    newer = put(a_record("new", created="2026-01-02"))
    put(a_record("wrong", created="2026-01-03", framework_version="1.5"))
    put(a_record("another", created="2026-01-03", framework="torch"))
    assert choose_environment(wish("==2.0")) == newer.interpreter


def test_what_the_manifest_requires_counts(installed: dict[str, str]) -> None:
    installed["fake-engine"] = "2.0"
    has = put(a_record(packages={"fake-engine": "2.0", "pillow": "10.1"}))
    assert choose_environment(wish("", ("Pillow>=10",))) == has.interpreter
    with pytest.raises(UserError, match="what the manifest requires is not: Pillow>=11") as caught:
        choose_environment(wish("", ("Pillow>=11",)))
    pip, environment = caught.value.remedy.split(" Or: ")
    assert pip == "Run: pip install 'Pillow>=11'"
    assert environment == "mlh env create engine --requires 'Pillow>=11'"


def test_the_plugins_of_the_plan_must_be_in_it() -> None:
    put(a_record(members=(a_kernel(),)))
    needs_kernel = replace(wish(), plugins=frozenset({"mlharness", "builtin-null"}))
    assert choose_environment(needs_kernel)
    put(a_record("bare", created="2027"))
    assert "bare" not in choose_environment(needs_kernel)


def test_the_remedy_is_the_command_quoted_for_a_shell() -> None:
    with pytest.raises(UserError, match=r"fake-engine is not installed here; no created environment has it") as caught:
        choose_environment(wish(">=2,<3", ("pillow>=10; python_version > '3'",)))
    words = shlex.split(caught.value.remedy.removeprefix("Run: "))
    assert words == ["mlh", "env", "create", "engine>=2,<3", "--requires", "pillow>=10; python_version > '3'"]


def test_one_with_another_kernel_is_not_used_and_the_remedy_makes_it_anew() -> None:
    put(a_record(members=(a_kernel("0.0.9"),)))
    with pytest.raises(UserError, match=r"mlharness is 0.0.9 there and .* here") as caught:
        choose_environment(wish("==2.0"))
    assert caught.value.remedy == "Run: mlh env create engine==2.0"


def test_markers_are_those_of_the_environments_python() -> None:
    wishes = ["tomli; python_version < '3.11'", "numpy"]
    assert unmet(wishes, {"numpy": "1"}, "3.11.0") == []
    assert unmet(wishes, {"numpy": "1"}, "3.10.4") == wishes[:1]
    assert short("3.10.4") == "3.10"
