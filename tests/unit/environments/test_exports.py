"""Locks, Dockerfiles and MLCubes as text."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mlharness.environments.containers import dockerfile, mlcube_yaml
from mlharness.environments.creating import Telling, default_name
from mlharness.environments.locking import sha256_of, write_text
from mlharness.environments.rebuilding import create_from, read_lock
from mlharness.environments.record import Record
from mlharness.errors import UserError
from mlharness.resources import resource_folder
from tests.unit.environments.making import a_record, put

HASHES = {"fake-engine": "1" * 64, "numpy": "2" * 64, "mlharness": "3" * 64}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock."""
    path = tmp_path / "engine.lock"
    path.write_text(write_text(a_record(), HASHES, True), "utf-8")
    return path


def test_a_lock_says_who_it_is_for_and_pins_every_package(lock: Path) -> None:
    about, pins = read_lock(lock)
    assert (about.name, about.framework, about.python) == ("engine-2.0-py3.11", "engine", "3.11.7")
    assert pins == a_record().packages
    lines = lock.read_text("utf-8").splitlines()
    assert lines[2] == "--find-links wheels"
    assert lines[3] == f"fake-engine==2.0 --hash=sha256:{'1' * 64}"


@pytest.mark.parametrize("text", ["", "numpy==1\n", "# mlharness environment lock, version 1\n# {\n"])
def test_what_is_no_lock(tmp_path: Path, text: str) -> None:
    path = tmp_path / "no.lock"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"no\.lock") as caught:
        read_lock(path)
    assert caught.value.remedy


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_lock(tmp_path / "no.lock")


def test_the_environment_of_a_lock_is_found_made_and_another_of_its_name_is_left_alone(tmp_path: Path) -> None:
    version = platform.python_version()
    path = tmp_path / "engine.lock"
    record = put(a_record(python=version))
    path.write_text(write_text(record, HASHES, False), "utf-8")
    assert create_from(path, None, None, Telling()) == (record, False)
    put(a_record("other", python=version, packages={}))
    with pytest.raises(UserError, match="holds other packages") as caught:
        create_from(path, None, "other", Telling())
    assert "mlh env remove other" in caught.value.remedy


def test_a_lock_is_for_its_python(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.environments.rebuilding.find_python", lambda wished: (Path("python"), "3.98.1"))
    with pytest.raises(UserError, match=r"is for Python 3\.11"):
        create_from(lock, "3.98", None, Telling())


def test_the_hash_stands_in_pips_report_in_one_of_two_ways() -> None:
    install = {"metadata": {"name": "m"}, "download_info": {"archive_info": {"hashes": {"sha256": "ab"}}}}
    assert sha256_of(install) == "ab"
    assert sha256_of({**install, "download_info": {"archive_info": {"hash": "sha256=cd"}}}) == "cd"
    with pytest.raises(UserError, match="no sha256 for m"):
        sha256_of({**install, "download_info": {}})


def test_names_say_what_is_inside() -> None:
    assert default_name("torch", "2.13.0", "", "3.11.7") == "torch-2.13.0-py3.11"
    assert default_name("onnxruntime", "1.20.0", "gpu", "3.11.7") == "onnxruntime-1.20.0-gpu-py3.11"


def entry_of(text: str) -> list[str]:
    """The Dockerfile's entry point."""
    line = next(line for line in text.splitlines() if line.startswith("ENTRYPOINT "))
    found: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    return found


def test_a_dockerfile_installs_the_lock_and_runs_the_bench() -> None:
    text = dockerfile(a_record(), "resnet50", True, False)
    assert text.splitlines()[1] == "FROM python:3.11-slim"
    assert "COPY wheels ./wheels" in text
    assert "--require-hashes --only-binary :all: --no-deps" in text
    assert entry_of(text) == ["mlh", "bench", "resnet50", "--framework", "engine==2.0"]
    assert "wheels" not in dockerfile(a_record(), "resnet50", False, False).replace("nothing is built", "")


def test_mlcubes_task_name_is_no_argument_of_the_bench(tmp_path: Path) -> None:
    mlh = tmp_path / "mlh"
    mlh.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', "utf-8")
    mlh.chmod(0o755)
    command = [*entry_of(dockerfile(a_record(), "resnet50", True, True)), "bench", "--output=/mlcube_io0/"]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, env=path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bench", "resnet50", "--framework", "engine==2.0", "--output=/mlcube_io0/"]


@pytest.mark.parametrize("record", [a_record(), a_record(variant="gpu", name="engine-2.0+cu12-gpu-py3.11")])
def test_an_mlcube_follows_the_schema(record: Record) -> None:
    schema = json.loads((resource_folder("schemas") / "mlcube.v1.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    document = yaml.safe_load(mlcube_yaml(record, "resnet50"))
    Draft202012Validator(schema).validate(document)
    assert document["docker"].get("gpu_args") == ("--gpus=all" if record.variant else None)
    assert document["tasks"]["bench"]["parameters"]["outputs"]["output"]["type"] == "directory"
