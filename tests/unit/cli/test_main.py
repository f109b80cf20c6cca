"""The shell of the command line: exit codes, JSON, help, and answers to misspelt words."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from mlharness.cli.exits import ExitCode, worst
from mlharness.cli.main import COMMANDS
from mlharness.errors import Interrupted, ManifestError, RunError, UserError
from tests.unit.cli.conftest import Mlh

COMMON = ["--json", "--quiet", "--verbose", "--no-color"]


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Makes ``mlh validate`` a command that raises or returns the given thing."""

    def replace(end: object) -> None:
        @click.command()
        @click.option("--json", is_flag=True)
        def command(json: bool) -> object:
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr("mlharness.cli.validate.command", command)

    return replace


ENDS = [
    (None, 0),
    (ExitCode.ACCURACY, 4),
    (ExitCode.FAILED, 3),
    (ManifestError("bad", "mend it"), 2),
    (RunError("the model broke", "look"), 3),
    (Interrupted("stopped"), 130),
    (KeyboardInterrupt(), 130),
    (click.Abort(), 130),
    (RuntimeError("oops"), 1),
]


@pytest.mark.parametrize(("end", "code"), ENDS, ids=lambda value: repr(value))
def test_every_end_has_its_exit_code(mlh: Mlh, ends_with: Callable[[object], None], end: object, code: int) -> None:
    ends_with(end)
    assert mlh("validate").code == code
    assert mlh("validate", "--json").code == code


def test_a_users_mistake_is_message_and_remedy_without_traceback(mlh: Mlh, ends_with: Callable[[object], None]) -> None:
    ends_with(UserError("no model is named 'x'", "See: mlh models"))
    ran = mlh("validate")
    assert (ran.out, ran.err) == ("", "Error: no model is named 'x'\nSee: mlh models\n")
    ran = mlh("validate", "--json")
    assert ran.document == {"error": {"message": "no model is named 'x'", "remedy": "See: mlh models"}}
    assert "See: mlh models" in ran.err


def test_a_bug_is_a_traceback_and_a_request_to_report_it(mlh: Mlh, ends_with: Callable[[object], None]) -> None:
    ends_with(RuntimeError("oops"))
    ran = mlh("validate", "--json")
    assert "Traceback (most recent call last)" in ran.err
    assert "https://github.com/mlharness/mlharness/issues" in ran.err
    assert ran.document["error"]["message"] == "RuntimeError: oops"


def test_words_of_others_cannot_steer_the_terminal(mlh: Mlh, ends_with: Callable[[object], None]) -> None:
    ends_with(UserError("\x1b[31mred", "\x07"))
    assert mlh("validate").err == "Error: \\x1b[31mred\n\\x07\n"


def test_the_worst_code_wins() -> None:
    assert worst(ExitCode.DONE, ExitCode.ACCURACY, ExitCode.FAILED) == ExitCode.FAILED
    assert worst(ExitCode.BUG, ExitCode.INTERRUPTED, ExitCode.INPUT) == ExitCode.INTERRUPTED
    assert worst() == ExitCode.DONE


MISSPELT = {
    "command": (["plugns"], "'mlh' has no command 'plugns'", "Did you mean 'plugins'?"),
    "subcommand": (["models", "shwo"], "'mlh models' has no command 'shwo'", "Did you mean 'show'?"),
    "option": (["plugins", "--blok", "x"], "there is no option --blok for 'mlh plugins'", "Did you mean '--block'?"),
    "choice": (["completion", "bsh"], "'SHELL' cannot be 'bsh'", "Did you mean 'bash'?"),
    "plugin": (["plugins", "--block", "x"], "--block x: no plugin has this name", ""),
    "missing": (["validate"], "Missing argument 'FILE...'", "See: mlh validate --help"),
    "no value": (["plugins", "--block"], "Option '--block' requires an argument", "See: mlh"),
}


@pytest.mark.parametrize("kind", MISSPELT)
def test_a_misspelt_word_is_answered(mlh: Mlh, kind: str) -> None:
    words, message, remedy = MISSPELT[kind]
    ran = mlh(*words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert remedy in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("kind", MISSPELT)
def test_a_misspelt_word_is_answered_in_json(mlh: Mlh, kind: str) -> None:
    words, message, remedy = MISSPELT[kind]
    ran = mlh("plugins", "--json", *words[1:]) if words[0] == "plugins" else mlh(*words, "--json")
    assert ran.code == 2
    assert ran.document["error"]["message"].startswith(message)
    assert ran.document["error"]["remedy"].startswith(remedy)


def test_help_and_no_words_at_all_list_the_commands(mlh: Mlh) -> None:
    for words in ([], ["--help"], ["-h"]):
        ran = mlh(*words)
        assert ran.code == 0
        assert all(f"  {name} " in ran.out and line in ran.out for name, line in COMMANDS.items())


def test_the_version_is_printed(mlh: Mlh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name}-version")
    ran = mlh("--version")
    assert (ran.code, ran.out) == (0, "mlh mlharness-version\n")


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments, "-c", code], capture_output=True, text=True, check=True)


def test_help_imports_no_command_and_nothing_heavy() -> None:
    listed = python("import sys; from mlharness.cli.main import main; main(['--help']); print(*sys.modules)").stdout
    loaded = set(listed.splitlines()[-1].split())
    assert "click" in loaded
    assert not {f"mlharness.cli.{name}" for name in COMMANDS} & loaded
    ours = {"mlharness", "mlharness.cli", "mlharness.cli.exits", "mlharness.cli.main", "mlharness.cli.usage"}
    assert {name for name in loaded if name.partition(".")[0] == "mlharness"} == {*ours, "mlharness.errors"}
    assert not {"numpy", "rich", "msgspec", "yaml", "jsonschema", "platformdirs", "psutil", "pooch"} & loaded


def test_importing_a_command_imports_nothing_heavy() -> None:
    names = [name for name in COMMANDS if name != "bench"]
    code = (
        f"import sys, importlib\nfor n in {names}: importlib.import_module('mlharness.cli.' + n)\nprint(*sys.modules)"
    )
    loaded = set(python(code).stdout.split())
    assert not {"numpy", "rich", "msgspec", "yaml", "jsonschema", "mlharness.plugins"} & loaded


def test_a_broken_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        ended = subprocess.run(
            [sys.executable, "-m", "mlharness", "plugins", "--json"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_has_a_module_and_the_common_options(name: str) -> None:
    command = importlib.import_module(f"mlharness.cli.{name}").command
    leaves = command.commands.values() if isinstance(command, click.Group) else [command]
    for leaf in leaves:
        assert leaf.help, f"{name} has no help"
        options = {option for param in leaf.params for option in param.opts}
        assert set(COMMON) <= options


@pytest.mark.parametrize("group", ["trust", "init"])
def test_a_group_without_a_command_prints_its_help(mlh: Mlh, group: str) -> None:
    ran = mlh(group)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == mlh(group, "--help").out
