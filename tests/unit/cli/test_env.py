"""``mlh env``: what it refuses before pip is asked, and how it shows environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Mlh
from tests.unit.environments.making import a_kernel, a_record, put


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either FRAMEWORK or --from LOCK"),
        (("null", "--from", "a.lock"), "give either FRAMEWORK or --from LOCK"),
        (("--from", "a.lock", "--variant", "gpu"), "--from LOCK goes with no --variant"),
        (("--from", "no.lock"), "no.lock cannot be read"),
        (("null",), "framework 'null' needs no environment"),
        (("nul",), "Did you mean 'null'?"),
        (("null", "--python", "2"), "--python '2' is no version of Python"),
    ],
)
def test_create_refuses(mlh: Mlh, arguments: tuple[str, ...], words: str) -> None:
    ran = mlh("env", "create", *arguments)
    assert ran.code == 2
    assert words in ran.err


def test_there_are_none(mlh: Mlh) -> None:
    assert mlh("env", "list", "--json").document == {"environments": []}
    assert "Make one with: mlh env create" in mlh("env", "list").err


def test_list_says_which_are_used(mlh: Mlh) -> None:
    put(a_record("good", created="2026-01-02T10:00:00.000+00:00"))
    put(a_record("old", members=(a_kernel("0.0.9"),)))
    rows = mlh("env", "list", "--json").document["environments"]
    assert [(row["name"], row["usable"]) for row in rows] == [("good", True), ("old", False)]
    assert rows[1]["differences"][0].startswith("mlharness is 0.0.9 there")
    printed = mlh("env", "list").out.splitlines()
    assert printed[1].split() == ["good", "engine", "2.0", "3.11.7", "2026-01-02T10:00", "usable"]


def test_show(mlh: Mlh) -> None:
    put(a_record("one", members=(a_kernel(),)))
    out = mlh("env", "show", "one").out
    assert "framework: engine" in out
    assert "  fake-engine: 2.0" in out
    assert mlh("env", "show", "one", "--json").document["packages"]["numpy"] == "2.0.0"
    assert mlh("env", "show", "two").code == 2


def test_remove(mlh: Mlh) -> None:
    put(a_record("one"))
    assert mlh("env", "remove", "one", "--json").document == {"removed": "one"}
    assert mlh("env", "remove", "one").code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "null"), "--model goes with no lock"),
        (("--format", "dockerfile", "--model", "null"), "writes several files"),
        (("--format", "mlcube", "--output", "out"), "needs the model"),
        (("--format", "mlcube", "--output", "out", "--model", "a/m.yaml"), "is not in the container"),
        (("--format", "mlcube", "--output", "out", "--model", "nul"), "no model is named 'nul'"),
        (("--format", "docker"), "dockerfile"),
    ],
)
def test_export_refuses(mlh: Mlh, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    put(a_record("one"))
    ran = mlh("env", "export", "one", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert not Path("out").exists()
