"""Configuration files: who wins, and what each mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.config import Config, load_config
from mlharness.errors import UserError
from mlharness.providers import Option

DECLARED = (
    Option("count", "integer", "How many samples."),
    Option("duration", "number", "Seconds."),
    Option("scenario", "string", "The scenario.", choices=("Offline", "Server")),
    Option("label", "array", "Labels."),
)


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("MLH_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def write(folder: Path, text: str, name: str = "mlharness.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def refused(start: Path, profile: str | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        load_config(start).defaults("bench", profile, DECLARED)
    return caught.value


def test_no_file_gives_no_defaults(project: Path) -> None:
    assert load_config(project) == Config()
    assert load_config(project).defaults("bench") == {}


def test_the_file_is_found_from_a_folder_below(project: Path) -> None:
    write(project, "[bench]\ncount = 7\n")
    below = project / "a" / "b"
    below.mkdir(parents=True)
    assert load_config(below).defaults("bench", declared=DECLARED) == {"count": 7}


def test_a_pyproject_without_our_table_is_passed_by(project: Path) -> None:
    write(project, "[bench]\ncount = 7\n")
    below = project / "package"
    below.mkdir()
    write(below, "[tool.other]\nx = 1\n", "pyproject.toml")
    assert load_config(below).defaults("bench") == {"count": 7}


def test_pyproject_holds_the_tables_below_tool(project: Path) -> None:
    write(
        project, "[tool.mlharness.bench]\ncount = 7\n[tool.mlharness.profiles.p.bench]\ncount = 8\n", "pyproject.toml"
    )
    assert load_config(project).defaults("bench", declared=DECLARED) == {"count": 7}
    assert load_config(project).defaults("bench", "p", DECLARED) == {"count": 8}


def test_of_two_files_in_a_folder_the_one_of_our_name_is_read(project: Path) -> None:
    write(project, "[tool.mlharness.bench]\ncount = 7\nduration = 1\n", "pyproject.toml")
    write(project, "[bench]\ncount = 9\n")
    assert load_config(project).defaults("bench") == {"count": 9}


def test_project_wins_over_user_and_a_chosen_profile_over_both(user: Path, project: Path) -> None:
    write(user, "[bench]\ncount = 1\nduration = 1.5\n[profiles.long.bench]\nduration = 60\ncount = 2\n")
    write(project, '[bench]\ncount = 3\nscenario = "Server"\n[profiles.long.bench]\ncount = 4\n')
    config = load_config(project)
    assert config.defaults("bench") == {"count": 3, "duration": 1.5, "scenario": "Server"}
    assert config.defaults("bench", "long") == {"count": 4, "duration": 60, "scenario": "Server"}
    assert config.profiles() == ["long"]


def test_starting_in_the_users_folder_reads_its_file_once(user: Path) -> None:
    write(user, "[bench]\ncount = 1\n")
    assert len(load_config(user).layers) == 1


def test_bad_toml_is_told_with_file_and_line(project: Path) -> None:
    file = write(project, "[bench]\ncount = = 3\n")
    assert refused(project).message == f"{file}:2: not valid TOML: Invalid value"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[bench]\ncount = 1\n\nscenario = '", 4),
        ('[bench]\nscenario = """\n# not closed\n[profiles]\n', 2),
        ("[bench]\r\ncount = [1,\r\n2,\r\n", 2),
        ("'", 1),
        ("[bench]\ncount = " + "1" * 5000, 2),
        ("[bench]\ncount = " + "[" * 5000, 2),
        ("[bench]\ncount = 2026-02-30\n", 2),
    ],
)
def test_a_statement_that_never_ends_is_told_where_it_begins(project: Path, text: str, line: int) -> None:
    file = write(project, text)
    assert refused(project).message.startswith(f"{file}:{line}: not valid TOML: ")


def test_a_deep_key_is_found_in_any_notation(project: Path) -> None:
    write(project, "# a comment\n[bench]\nlabel = [\n  'a=b',\n]  # below\n'cuont' = 3\n")
    assert ":6: [bench] has no key 'cuont'" in refused(project).message
    write(project, "bench.scenario = 'Server'\nbench.duration = 1\nbench.count = 'x'\n")
    assert ":3: [bench]: count is 'x'" in refused(project).message
    write(project, '\nprofiles = {a = {bench = {count = 1}}, b = {"bench" = {count = []}}}\n')
    assert ":2: [profiles.b.bench]: count is []" in refused(project).message


def test_where_a_default_comes_from(project: Path) -> None:
    file = write(project, "[bench]\ncount = 1\nscenario = 'Server'\n[profiles.p.bench]\n\ncount = 3\n")
    sources = load_config(project).sources("bench", "p")
    assert str(sources["scenario"]) == f"{file}:3: [bench]"
    assert str(sources["count"]) == f"{file}:6: [profiles.p.bench]"


def test_a_file_that_is_no_text_is_told(project: Path) -> None:
    (project / "mlharness.toml").write_bytes(b"[bench]\n\xff\xfe")
    assert refused(project).message.endswith("mlharness.toml:2: not UTF-8 (byte 0xff)")


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("[bensh]\n", "[bensh] is not a table of mlharness", "Did you mean 'bench'?"),
        ("bench = 3\n", "[bench] is 3, and must be a table", "Write the heading [bench]."),
        ("profiles = 3\n", "[profiles] is 3, and must be a table", "Write the heading [profiles]."),
        ("[profiles]\nfast = 1\n", "[profiles.fast] is 1, and must be a table", "Write the heading [profiles.fast]."),
        ("[profiles.fast.bensh]\n", "[profiles.fast.bensh] is not a table of mlharness", "Did you mean 'bench'?"),
        ("[bench]\ncuont = 3\n", "[bench] has no key 'cuont'", "Did you mean 'count'?"),
        ("[bench]\ncount = '3'\n", "[bench]: count is '3', and must be of type integer", "How many samples."),
        ("[bench]\ncount = true\n", "[bench]: count is True, and must be of type integer", "How many samples."),
        ("[bench]\nlabel = 'a=b'\n", "[bench]: label is 'a=b', and must be of type array", "Labels."),
        ("[bench]\nscenario = 'Ofline'\n", "must be one of Offline, Server", "The scenario."),
        # the tables that were not chosen are checked too
        ("[profiles.fast.bench]\ncuont = 3\n", "[profiles.fast.bench] has no key 'cuont'", "Did you mean 'count'?"),
    ],
)
def test_a_mistake_names_file_and_key(project: Path, text: str, message: str, remedy: str) -> None:
    file = write(project, text)
    error = refused(project)
    line = max(number for number, words in enumerate(text.splitlines(), start=1) if words)
    assert error.message.startswith(f"{file}:{line}: ")
    assert message in error.message
    assert error.remedy.startswith(remedy)


def test_messages_about_pyproject_give_the_headings_as_written_there(project: Path) -> None:
    file = write(project, "[tool.mlharness.bench]\ncuont = 7\n", "pyproject.toml")
    assert refused(project).message == f"{file}:2: [tool.mlharness.bench] has no key 'cuont'"
    write(project, "[tool]\nmlharness = 7\n", "pyproject.toml")
    assert refused(project).message == f"{file}:2: [tool.mlharness] is 7, and must be a table"


def test_an_unknown_profile_is_answered_with_the_likely_one(user: Path, project: Path) -> None:
    write(user, "[profiles.nightly.bench]\ncount = 1\n")
    error = refused(project, "nihgtly")
    assert error.message == "there is no profile 'nihgtly'"
    assert error.remedy == "Did you mean 'nightly'? Known: nightly."
