"""Environments as users make them: created, used, locked, made again; a failed or stopped one leaves nothing."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests import wheelhouse

pytestmark = pytest.mark.xdist_group("environments")  # what they share takes half a minute to install

MANIFEST = {
    "kind": "model",
    "name": "sums",
    "version": "1.0",
    "framework": {"name": "Fake Engine", "version": ">=1"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 16]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}],
    "dataset": "null",
}
OWN = ("PYTHONPATH", "PYTHONHOME", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""Variables that would bring the environment of these tests into the installed one."""


@dataclass(frozen=True)
class Installed:
    """An mlharness that was installed from wheels, with the plugin ``engine`` and version 1.0 of its framework."""

    folder: Path
    env: dict[str, str]

    @property
    def envs(self) -> Path:
        """Where it keeps environments."""
        return self.folder / "data" / "envs"

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start ``mlh``."""
        command = [str(self.folder / "venv" / "bin" / "mlh"), *arguments]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**self.env, **env}, cwd=self.folder
        )

    def mlh(self, *arguments: str, code: int = 0, **env: str) -> Any:
        """The document that ``mlh ... --json`` prints; it must leave with this code."""
        with self.start(*arguments, "--json", **env) as process:
            out, err = process.communicate(timeout=240)
        assert process.returncode == code, f"{arguments}\n{out}\n{err}"
        return json.loads(out)

    def names(self) -> list[str]:
        """The environments that it lists."""
        return sorted(one["name"] for one in self.mlh("env", "list")["environments"])


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """One for all tests, with wheels that pip takes without an index."""
    folder = tmp_path_factory.mktemp("installed")
    wheels = folder / "wheels"
    wheels.mkdir()
    wheelhouse.pack_requirements(wheels, "mlharness")
    for version in ("1.0", "2.0"):
        wheelhouse.write_engine(wheels, version)
    wheelhouse.write_engine(wheels, "2.0", "fake-engine-fast")
    kernel, plugin = wheelhouse.write_kernel(folder), wheelhouse.write_fake(folder, "engine")
    env = {name: value for name, value in os.environ.items() if name not in OWN and not name.startswith("PIP_")}
    env |= {f"MLH_{kind}_DIR": str(folder / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
    env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_COMPILE": "1"}
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True, env=env)
    python = str(folder / "venv" / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", str(kernel), str(plugin), "fake-engine==1.0"]
    subprocess.run(command, check=True, env=env)
    (folder / "sums.yaml").write_text(yaml.safe_dump(MANIFEST), "utf-8")
    (folder / "needy.yaml").write_text(yaml.safe_dump({**MANIFEST, "requires": ["numpy==0.0.1"]}), "utf-8")
    return Installed(folder, env)


@pytest.fixture(scope="module")
def second(here: Installed) -> str:
    """The environment with version 2.0, made by the command that a refused run prints."""
    refused = here.mlh("bench", "sums.yaml", "--framework", "engine==2.0", code=2)["error"]
    assert refused["message"] == "engine==2.0 is asked for, and here is 1.0; no created environment has it"
    assert refused["remedy"] == "Run: mlh env create engine==2.0"
    made = here.mlh(*shlex.split(refused["remedy"].removeprefix("Run: mlh ")))
    assert made["made"]
    version = ".".join(map(str, sys.version_info[:2]))
    assert made["environment"]["name"] == f"engine-2.0-py{version}"
    return str(made["environment"]["name"])


def test_a_run_takes_the_environment_that_has_the_version(here: Installed, second: str) -> None:
    poison = here.folder / "poison"
    poison.mkdir()
    (poison / "fake_engine.py").write_text('__version__ = "6.6"\n', "utf-8")
    bench = ("bench", "sums.yaml", "--duration", "0.5")
    result = here.mlh(*bench, "--framework", "engine==2.0", PYTHONPATH=str(poison))
    framework = result["framework"]
    assert result["status"] == "valid"
    assert (framework["version"], framework["wished"]) == ("2.0", "==2.0")
    assert framework["manifest"] == {"name": "Fake Engine", "version": ">=1", "written_for": ""}
    assert framework["environment"] == str(here.envs / second / "bin" / "python")
    system = json.loads((here.folder / "data" / "runs" / result["run_id"] / "system.json").read_text("utf-8"))
    assert system["packages"]["fake-engine"] == "2.0"
    of_manifest = here.mlh(*bench)["framework"]
    assert of_manifest["version"] == "1.0", "where mlh runs is good enough"
    assert of_manifest["environment"] == str(here.folder / "venv" / "bin" / "python")


def test_what_an_environment_holds_is_shown(here: Installed, second: str) -> None:
    shown = here.mlh("env", "show", second)
    assert [(one["name"], one["origin"]["kind"]) for one in shown["members"]] == [
        ("mlh-fake-engine", "archive"), ("mlharness", "archive"),
    ]  # fmt: skip
    assert shown["packages"]["fake-engine"] == "2.0"
    assert "pip" not in shown["packages"]
    rows = here.mlh("doctor", code=0)["checks"]
    assert [row["status"] for row in rows if row["check"] == "environment"] == ["ok"] * len(here.names())


def test_two_that_make_one_environment_wait_for_each_other(here: Installed) -> None:
    half = here.envs / "twin"
    half.mkdir(parents=True)
    (half / "left-over").write_text("", "utf-8")
    assert "twin" not in here.names()
    create = ("env", "create", "FAKE ENGINE<2", "--name", "twin", "--json")
    both = [here.start(*create), here.start(*create)]
    outputs = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    documents = [json.loads(out) for out, _ in outputs]
    assert sorted(document["made"] for document in documents) == [False, True]
    assert documents[0]["environment"] == documents[1]["environment"]
    assert documents[0]["environment"]["framework_version"] == "1.0"
    assert not (half / "left-over").exists()
    assert here.mlh("env", "remove", "twin") == {"removed": "twin"}
    assert not half.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("engine==9.9",), "No matching distribution found for fake-engine"),
        (("engine==1.0", "--requires", "no-such-thing"), "there is no no-such-thing, which is required: "),
        (("engine==1.0", "--requires", "no-such-thing"), "No matching distribution found for no-such-thing"),
        (("engine==1.0", "--model", "needy.yaml"), "there is no numpy==0.0.1, which is required: "),
    ],
)
def test_a_failed_install_shows_pips_last_lines_and_leaves_nothing(
    here: Installed, arguments: tuple[str, ...], words: str
) -> None:
    before = here.names()
    error = here.mlh("env", "create", *arguments, "--name", "failing", code=2)["error"]
    assert words in error["message"]
    assert error["remedy"]
    assert here.names() == before
    assert not (here.envs / "failing").exists()


def test_control_c_leaves_no_environment_and_no_process(here: Installed) -> None:
    with here.start(
        "env", "create", "engine==1.0", "--name", "stopped", TMPDIR=str(here.folder), MARK="stopped"
    ) as mlh:
        assert mlh.stderr is not None
        while "pip install" not in mlh.stderr.readline():
            pass
        time.sleep(0.5)  # no condition to wait for: pip is to be anywhere in its work
        mlh.send_signal(signal.SIGINT)
        assert mlh.wait(timeout=20) == 130
    assert not (here.envs / "stopped").exists()
    assert [one for one in psutil.process_iter() if "MARK" in variables(one)] == []


def variables(process: psutil.Process) -> dict[str, str]:
    """The variables of a process; none when it is not ours, or gone."""
    try:
        return dict(process.environ()) if process.pid != os.getpid() else {}
    except psutil.Error:
        return {}


def test_a_lock_makes_the_same_environment_and_its_hashes_are_checked(here: Installed, second: str) -> None:
    lock = here.folder / "out" / "engine.lock"
    files = here.mlh("env", "export", second, "--output", str(lock))["files"]
    names = sorted(Path(file).name for file in files)
    assert names[0] == "engine.lock"
    assert [name.split("-")[0] for name in names[1:]] == ["mlh_fake_engine", "mlharness"]
    made = here.mlh("env", "create", "--from", str(lock), "--name", "copy")
    assert made["environment"]["packages"] == here.mlh("env", "show", second)["packages"]
    assert not here.mlh("env", "create", "--from", str(lock), "--name", "copy")["made"]
    rows = {row["name"]: row for row in here.mlh("env", "list")["environments"]}
    assert rows["copy"]["usable"], "wheels of the code that runs are as good as its source"
    text = lock.read_text("utf-8")
    again = here.mlh("env", "export", "copy")["lock"]
    assert again.splitlines()[2:] == text.splitlines()[2:]
    at = text.index("sha256:", text.index("fake-engine==")) + len("sha256:")
    lock.write_text(text[:at] + "0" * 64 + text[at + 64 :], "utf-8")
    error = here.mlh("env", "create", "--from", str(lock), "--name", "spoilt", code=2)["error"]
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in error["message"] or "Expected sha256" in error["message"]
    assert not (here.envs / "spoilt").exists()


def test_a_container_has_lock_wheels_and_the_same_run(here: Installed, second: str) -> None:
    folder = here.folder / "cube"
    files = here.mlh("env", "export", second, "--format", "mlcube", "--model", "null", "--output", str(folder))["files"]
    names = {str(Path(file).relative_to(folder)).split("-")[0] for file in files}
    assert names == {"Dockerfile", "mlcube.yaml", "requirements.lock", "wheels/mlh_fake_engine", "wheels/mlharness"}


def test_a_bundle_is_reproduced_in_an_environment_that_is_rebuilt_of_its_lock(here: Installed) -> None:
    result = here.mlh("bench", "sums.yaml", "--duration", "0.5")
    bundle = here.folder / "sums.mlhz"
    packed = here.mlh("bundle", result["run_id"], "-o", str(bundle))
    wheels = [Path(wheel).name.split("-")[0] for wheel in packed["bundle"]["environment"]["wheels"]]
    assert wheels == ["mlh_fake_engine", "mlharness"]
    assert here.mlh("bundle", "verify", str(bundle))["holds"]
    elsewhere = here.folder / "elsewhere"

    def reproduce(*options: str, code: int = 0) -> Any:
        return here.mlh(
            "reproduce", str(bundle), "--within", "900%", *options, code=code,  # other tests may be at work beside it
            MLH_DATA_DIR=str(elsewhere / "data"), MLH_CACHE_DIR=str(elsewhere / "cache"),
        )  # fmt: skip

    refused = reproduce(code=2)["error"]
    assert "code that would run on this machine, and that nobody has trusted yet" in refused["message"]
    assert not (elsewhere / "data" / "envs").exists()
    found = reproduce("--trust")
    assert found["reproduced"], found
    assert found["environment"]["differences"] == []
    interpreter = Path(found["environment"]["interpreter"])
    assert interpreter.is_relative_to(elsewhere / "data" / "envs")
    (record,) = (elsewhere / "data" / "envs").glob("bundle-engine-1.0-*/mlharness-env.json")
    made = record.stat().st_mtime_ns
    assert reproduce()["environment"]["interpreter"] == str(interpreter)
    assert record.stat().st_mtime_ns == made, "an equal one is used again, and is trusted"
