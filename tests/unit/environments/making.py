"""Small records, and environments that consist of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlharness.environments.origins import Member, Origin, code_here, members
from mlharness.environments.record import Record, write_record
from mlharness.environments.shelf import shelf
from mlharness.providers import FrameworkProvider, Model, Predictor


def a_record(name: str = "engine-2.0-py3.11", **fields: Any) -> Record:
    """The record of an environment with the kernel that runs the tests."""
    record = Record(
        name=name,
        framework="engine",
        framework_version="2.0",
        distribution="fake-engine",
        variant="",
        python="3.11.7",
        interpreter=str(shelf() / name / "bin" / "python"),
        kernel_version="0.1.0",
        members=(),
        packages={"fake-engine": "2.0", "numpy": "2.0.0", "mlharness": "0.1.0"},
        requires=(),
        created="2026-01-01T00:00:00.000+00:00",
    )
    return replace(record, **fields)


def put(record: Record) -> Record:
    """The record in its place."""
    folder = Path(record.interpreter).parents[1]
    folder.mkdir(parents=True)
    write_record(folder, record)
    return record


def a_kernel(version: str | None = None) -> Member:
    """The kernel as it is here, or of a version that is not."""
    kernel = replace(members()["mlharness"], code=code_here("mlharness"))
    return replace(kernel, version=version) if version else kernel


def editable(name: str, path: Path) -> Member:
    """A plugin in a source tree."""
    return Member(name, "1.0", Origin("editable", str(path)))


def provider(requirement: str = "fake-engine", **fields: Any) -> FrameworkProvider:
    """A framework that nobody may load."""

    return FrameworkProvider("engine", load, never, never, requirement=requirement, **fields)


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Never called."""
    raise AssertionError("nothing of a framework is called")


def never() -> Any:
    """Never called."""
    raise AssertionError("nothing of a framework is called")
