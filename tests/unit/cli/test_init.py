"""``mlh init plugin``: a complete plugin, or a message; ``plugins/mlharness-example`` is what it writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlharness.authoring.distribution import TAKEN, check_free, check_name, compatible_versions, render
from mlharness.errors import UserError
from mlharness.plugins import build_manager
from tests.fakes import install_fakes
from tests.unit.cli.conftest import Mlh

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).parents[3] / "plugins" / "mlharness-example"
WRITTEN = (".py", ".toml", ".md", ".yaml", ".csv", ".typed")
"""What a template has; beside it lie caches of tools."""


def test_the_example_is_what_init_writes() -> None:
    found = [path for path in EXAMPLE.rglob("*") if path.suffix in WRITTEN and ".pytest_cache" not in path.parts]
    there = {path.relative_to(EXAMPLE).as_posix(): path.read_text("utf-8") for path in found}
    block = "MLH_BLOCK_PLUGINS=mlharness-example"
    remedy = f"write it anew: rm -r plugins/mlharness-example && {block} mlh init plugin example --output plugins"
    assert there == render("plugin", "example"), remedy


def test_the_project_s_own_plugins_are_taken() -> None:
    own = {folder.name.removeprefix("mlharness-") for folder in EXAMPLE.parent.iterdir() if folder.is_dir()}
    assert own - TAKEN == {"example"}  # which is what is written


def test_every_file_is_written_and_named(mlh: Mlh, tmp_path: Path) -> None:
    ran = mlh("init", "plugin", "two-words", "--output", str(tmp_path / "new"), "--json")
    assert ran.code == 0
    folder = tmp_path / "new" / "mlharness-two-words"
    assert ran.document["folder"] == str(folder)
    assert sorted(ran.document["files"]) == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["mlharness"] == {"two-words": "mlharness_two_words.plugin"}
    for source in folder.rglob("*.py"):
        compile(source.read_text("utf-8"), str(source), "exec")


def test_people_read_what_comes_next(mlh: Mlh, tmp_path: Path) -> None:
    ran = mlh("init", "plugin", "mlharness-mine", "--output", str(tmp_path))
    assert str(tmp_path / "mlharness-mine" / "pyproject.toml") in ran.out.splitlines()
    assert ran.err.startswith("Next: cd ")


def test_what_is_there_stays(mlh: Mlh, tmp_path: Path) -> None:
    (tmp_path / "mlharness-mine").mkdir()
    ran = mlh("init", "plugin", "mine", "--output", str(tmp_path))
    assert ran.code == 2
    assert "exists already" in ran.err
    assert list((tmp_path / "mlharness-mine").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_message(mlh: Mlh, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = mlh("init", "plugin", "mine", "--output", str(tmp_path / "file"))
    assert ran.code == 2
    assert "cannot be written" in ran.err


@pytest.mark.parametrize("name", ["", "Mine", "1st", "a b", "a--b", "a_b", "-a", "a-", "mlharness-", "../up", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="cannot name a plugin"):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("null", "a name of mlharness's own plugins"),
        ("mlharness-onnxruntime", "a name of mlharness's own plugins"),
        ("torch", "a name of mlharness's own plugins"),
        ("mlharness", "a name of mlharness's own plugins"),
        ("builtin-table", "a name of the plugin builtin-table, which is installed"),
    ],
)
def test_names_that_are_taken_are_refused(mlh: Mlh, tmp_path: Path, name: str, reason: str) -> None:
    ran = mlh("init", "plugin", name, "--output", str(tmp_path / "new"))
    assert ran.code == 2
    assert reason in ran.err
    assert f"Choose another, as 'my-{name.removeprefix('mlharness-')}'" in ran.err
    assert not (tmp_path / "new").exists()


def test_names_of_installed_plugins_and_their_frameworks_are_refused_unless_blocked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entries = install_fakes(monkeypatch, tmp_path / "site", "failing")
    plugins, blocked = (build_manager(entry_points=entries, block=names) for names in ([], ["mlh-fake-failing"]))
    for name, reason in (("failing", "a framework of mlh-fake-failing"), ("mlh-fake-failing", "the plugin mlh-fake")):
        with pytest.raises(UserError, match=f"it is a name of {reason}"):
            check_free(name, plugins)
        check_free(name, blocked)


def test_misspelt_kind_is_answered(mlh: Mlh) -> None:
    assert "Did you mean 'plugin'?" in mlh("init", "plugins", "mine").err


def test_the_range_of_versions_is_this_minor_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.authoring.distribution.metadata.version", lambda name: "1.9.3rc1")
    assert compatible_versions() == ">=1.9,<1.10"


def test_no_placeholder_is_left() -> None:
    left = [
        path
        for path, text in render("plugin", "mine").items()
        if "$" in text or "__package__" in path or "__name__" in path
    ]
    assert left == []
