"""Configuration files meet a command's options: the command line wins, and mistakes are named before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from mlharness.cli.options import output_options
from mlharness.cli.output import Output, print_document
from tests.unit.cli.conftest import Mlh


@click.command()
@click.argument("model")
@click.option("--count", type=int)
@click.option("--max-wait", "wait_us", type=click.IntRange(min=0), default=5)
@click.option("--scenario", type=click.Choice(["Offline", "Server"]))
@click.option("--label", multiple=True)
@click.option("--trust", is_flag=True)
@output_options
def bench(
    model: str, count: int | None, wait_us: int, scenario: str | None, label: Sequence[str], trust: bool, output: Output
) -> None:
    """Print what was asked for, in the place of the real command."""
    print_document({"count": count, "wait_us": wait_us, "scenario": scenario, "label": label, "trust": trust})


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    module = ModuleType("mlharness.cli.bench")
    # a copy, since running adds an option
    module.command = click.Command("bench", params=list(bench.params), callback=bench.callback)  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "mlharness.cli.bench", module)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(project: Path, text: str) -> None:
    (project / "mlharness.toml").write_text(text, encoding="utf-8")


def asked(mlh: Mlh, *arguments: str) -> Any:
    ran = mlh("bench", "model", *arguments)
    assert (ran.code, ran.err) == (0, "")
    return ran.document


def test_a_file_gives_defaults_and_the_command_line_wins(mlh: Mlh, project: Path) -> None:
    write(project, '[bench]\ncount = 3\nmax-wait = 7\nscenario = "Server"\nlabel = ["a=1", "b=2"]\n')
    defaults = {"count": 3, "wait_us": 7, "scenario": "Server", "label": ["a=1", "b=2"], "trust": False}
    assert asked(mlh) == defaults
    assert asked(mlh, "--count", "9", "--label", "c=3") == {**defaults, "count": 9, "label": ["c=3"]}


def test_a_profile_is_chosen_by_name_wherever_it_stands(mlh: Mlh, project: Path) -> None:
    write(project, "[bench]\ncount = 3\n[profiles.big.bench]\ncount = 300\n")
    assert asked(mlh)["count"] == 3
    assert asked(mlh, "--profile", "big")["count"] == 300
    assert asked(mlh, "--profile=big", "--count", "4")["count"] == 4
    assert asked(mlh, "--count", "4", "--profile", "big")["count"] == 4


def test_no_file_leaves_the_commands_own_defaults(mlh: Mlh) -> None:
    assert asked(mlh) == {"count": None, "wait_us": 5, "scenario": None, "label": [], "trust": False}


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("[bench]\nmax_wait = 3\n", "has no key 'max_wait'", "Did you mean 'max-wait'?"),
        ("[bench]\ncount = 'x'\n", "count is 'x', and must be of type integer", ""),
        ("[bench]\nscenario = 'Sever'\n", "must be one of Offline, Server", ""),
        # a checkout must not grant itself trust, and one invocation's printing is no default
        ("[bench]\ntrust = true\n", "has no key 'trust'", "Known: "),
        ("[bench]\njson = true\n", "has no key 'json'", "Known: "),
        ("[bench]\nprofile = 'x'\n", "has no key 'profile'", "Known: "),
    ],
)
def test_a_mistake_in_the_file_ends_with_2(mlh: Mlh, project: Path, text: str, message: str, remedy: str) -> None:
    write(project, text)
    ran = mlh("bench", "model", "--json")
    assert ran.code == 2
    assert message in ran.document["error"]["message"]
    assert ran.document["error"]["message"].startswith(str(project / "mlharness.toml"))
    assert remedy in ran.document["error"]["remedy"]


def test_help_works_beside_a_broken_file(mlh: Mlh, project: Path) -> None:
    write(project, "[bench\n")
    ran = mlh("bench", "--help")
    assert ran.code == 0
    assert "--profile NAME" in ran.out


def test_other_commands_do_not_read_the_files(mlh: Mlh, project: Path) -> None:
    write(project, "[bench\n")
    assert mlh("plugins").code == 0
