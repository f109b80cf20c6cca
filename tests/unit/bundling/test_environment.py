"""The environment of a run: what is locked of it, and that it is refused once it has changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from mlharness.bundling import environment as module
from mlharness.bundling.document import LOCK
from mlharness.bundling.environment import Needs, check_unchanged, closure, find_record, lock_environment, packages_of
from mlharness.environments.comparing import code_of
from mlharness.environments.creating import Telling
from mlharness.environments.record import Record
from mlharness.errors import UserError
from mlharness.plan import RunPlan
from mlharness.plugins import build_manager, canonical
from mlharness.system import describe_system
from tests.unit.environments.making import a_record, put
from tests.unit.runner.making import a_plan


def needs(**fields: Any) -> Needs:
    provider = build_manager().catalog.frameworks.find("null").provider
    return replace(Needs(provider, (), frozenset({"builtin-null"})), **fields)


@pytest.fixture
def plan() -> RunPlan:
    """Of a run that was made here."""
    return a_plan(host={"interpreter": sys.executable})


@pytest.fixture(scope="module")
def system() -> dict[str, Any]:
    """As bench writes it."""
    return {**describe_system(), "code": code_of()}


def test_the_closure_is_what_a_package_needs_to_run_and_no_more() -> None:
    found = closure(["mlharness"], {})
    assert {"mlharness", "numpy", "click", "mlcommons-loadgen"} <= set(found)
    assert "pytest" not in found
    assert found["numpy"] == metadata.version("numpy")
    assert list(found) == sorted(found)
    assert "grpcio" not in found, "it is of an extra"
    assert set(closure(["mlharness"], {"mlharness": ("plots",)})) > set(found)


def test_the_part_of_this_environment_that_a_run_needs(plan: RunPlan) -> None:
    record = find_record(plan, needs(packages=frozenset({"scipy"}), requires=("hypothesis>1",)))
    assert (record.framework, record.distribution, record.interpreter) == ("null", "mlharness", sys.executable)
    assert [member.name for member in record.members] == ["mlharness"]
    assert {"scipy", "hypothesis"} <= set(record.packages)
    assert record.requires == ("hypothesis>1",)


def test_a_created_environment_is_taken_as_it_is(plan: RunPlan) -> None:
    record = put(a_record())
    assert find_record(replace(plan, host=replace(plan.host, interpreter=record.interpreter)), needs()) == record


def test_an_interpreter_of_elsewhere_is_refused(plan: RunPlan) -> None:
    elsewhere = replace(plan, host=replace(plan.host, interpreter="/elsewhere/bin/python"))
    with pytest.raises(UserError, match="that is no environment of this mlh") as caught:
        find_record(elsewhere, needs())
    assert "--no-lock" in caught.value.remedy


def test_an_environment_that_has_changed_since_is_refused(plan: RunPlan, system: dict[str, Any]) -> None:
    record = find_record(plan, needs())
    check_unchanged(record, system)
    packages = {**system["packages"], "numpy": "0.1"}
    with pytest.raises(UserError, match=r"numpy is [\d.]+, and was 0\.1"):
        check_unchanged(record, {**system, "packages": packages})
    code = {**system["code"], "mlharness": "0" * 64}
    with pytest.raises(UserError, match="the code of mlharness has changed"):
        check_unchanged(record, {**system, "code": code})
    with pytest.raises(UserError, match="does not say which code"):
        check_unchanged(record, {"packages": system["packages"]})


def test_a_lock_and_its_wheels_have_their_places(
    plan: RunPlan, system: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(record: Record, target: Path, telling: Telling) -> Sequence[Path]:
        return [target, target.parent / "wheels" / "a-1.whl"]

    monkeypatch.setattr(module, "write_lock", write)
    packed, places = lock_environment(plan, system, needs(), tmp_path, Telling())
    assert places == {
        LOCK: tmp_path / "requirements.lock",
        "environment/wheels/a-1.whl": tmp_path / "wheels" / "a-1.whl",
    }
    assert packed.wheels == ("environment/wheels/a-1.whl",)
    assert packed.lock == LOCK


def test_packages_of_sources_are_told_by_what_carries_them() -> None:
    assert packages_of(["pkg://click/a.txt", "https://example.org/b", "pkg://nowhere/c"]) == {"click"}
    assert packages_of(["pkg://yaml/a"]) == {canonical("PyYAML")}
