"""``mlh models``, ``mlh datasets``, ``mlh validate`` and ``mlh trust``: on stand-ins, then on what mlharness ships."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from mlharness.cli.main import COMPLETE_VARIABLE, PROGRAM, command
from mlharness.errors import ManifestError, UserError, did_you_mean
from mlharness.manifest.documents import DataSetManifest, FrameworkWish, ModelFile, ModelManifest, Origin
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.trust import user_trust
from mlharness.plugins import build_manager
from mlharness.providers import TensorSpec
from mlharness.registrars import ManifestRegistrar
from mlharness.resources import resource_folder
from tests.unit.cli.conftest import Mlh


@dataclass(frozen=True)
class Listing:
    """One line of a list, as the library gives it."""

    name: str
    version: str = "1.0"
    plugin: str | None = "a-plugin"
    description: str = "Recognises\nthings."
    path: Path = Path("some/model.yaml")
    error: str = ""


MODEL = ModelManifest(
    origin=Origin(Path("some/model.yaml"), "0" * 64, "a-plugin"),
    name="lenet",
    version="1.0",
    framework=FrameworkWish("onnxruntime", ">=1.17", {"threads": 1}),
    files=(ModelFile("lenet.onnx", "1" * 64),),
    inputs=(TensorSpec("image", "float32", (None, 1, 28, 28)),),
)
DATASET = DataSetManifest(Origin(Path("some/set.yaml"), "2" * 64), "digits", "2.0", "files")


class Library:
    """Two models, one of them broken, and one data set."""

    def models(self) -> list[Listing]:
        return [Listing("lenet"), Listing("", error="line 3: no framework")]

    def datasets(self) -> list[Listing]:
        return [Listing("digits", plugin=None, description="")]

    def model(self, name: str) -> ModelManifest:
        if name != "lenet":
            raise ManifestError(f"no model is named {name!r}", did_you_mean(name, ["lenet"]))
        return MODEL

    def dataset(self, name: str) -> DataSetManifest:
        return DATASET


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.cli.discovery.library", lambda block=(): Library())


def test_models_are_listed_with_the_broken_one(mlh: Mlh) -> None:
    lines = [line.split() for line in mlh("models").out.splitlines()]
    assert lines[1] == ["lenet", "1.0", "a-plugin", "Recognises", "things."]
    assert lines[2] == ["some/model.yaml", "1.0", "a-plugin", "unusable:", "line", "3:", "no", "framework"]
    document = mlh("models", "--json").document
    assert [model["name"] for model in document["models"]] == ["lenet", None]
    assert [model["error"] for model in document["models"]] == [None, "line 3: no framework"]


def test_data_sets_are_listed(mlh: Mlh) -> None:
    assert mlh("datasets").out.splitlines()[1].split() == ["digits", "1.0"]
    assert mlh("datasets", "--json").document["datasets"][0]["path"] == "some/model.yaml"


@pytest.mark.parametrize("words", [("models", "show", "lenet", "--json"), ("models", "--json", "show", "lenet")])
def test_one_model_in_full(mlh: Mlh, words: tuple[str, ...]) -> None:
    document = mlh(*words).document
    assert document["framework"] == {
        "name": "onnxruntime",
        "version": ">=1.17",
        "options": {"threads": 1},
        "written_for": "",
    }
    assert document["inputs"][0]["shape"] == [None, 1, 28, 28]
    assert document["origin"]["path"] == "some/model.yaml"


def test_one_model_for_people_leaves_the_defaults_out(mlh: Mlh) -> None:
    text = mlh("models", "show", "lenet").out
    assert "name: lenet\n" in text
    assert "    source: lenet.onnx\n" in text
    assert "    shape: None, 1, 28, 28\n" in text
    assert "license" not in text
    assert "license" in mlh("models", "show", "lenet", "-v").out


def test_one_data_set_in_full(mlh: Mlh) -> None:
    assert "provider: files\n" in mlh("datasets", "show", "digits").out
    assert mlh("datasets", "show", "digits", "--json").document["version"] == "2.0"


def test_a_misspelt_model_is_answered(mlh: Mlh) -> None:
    ran = mlh("models", "show", "lennet", "--json")
    assert ran.code == 2
    assert ran.document["error"]["remedy"] == "Did you mean 'lenet'? Known: lenet."


def completions(*words: str, incomplete: str = "") -> list[str]:
    shell = ShellComplete(command, {}, PROGRAM, COMPLETE_VARIABLE)
    return [f"{item.type}:{item.value}" for item in shell.get_completions(list(words), incomplete)]


def test_the_shell_completes_commands_and_names() -> None:
    assert completions(incomplete="plu") == ["plain:plugins"]
    assert completions("models", "show", incomplete="le") == ["plain:lenet"]
    assert completions("models", "show", incomplete="./x") == ["file:./x"]
    assert completions("datasets", "show") == ["plain:digits"]
    assert completions("completion", incomplete="z") == ["plain:zsh"]


@pytest.mark.parametrize(
    ("words", "incomplete", "found"),
    [
        (("bench", "m", "--framework"), "nu", ["null"]),
        (("bench", "m", "--block"), "builtin-t", ["builtin-table", "builtin-tensor"]),
        (("bench", "m", "--device"), "cp", ["cpu"]),
        (("bench", "m", "--device"), "x", []),
        (("bench", "m", "--profile"), "", ["ci", "nightly"]),
        (("bench", "m", "--framework", "null", "--option"), "", ["largest_batch="]),
        (("bench", "null", "--option"), "lar", ["largest_batch="]),
        (("bench", "m", "--framework", "nobody", "--option"), "", []),
        (("models", "inspect", "m", "--framework"), "nu", ["null"]),
    ],
)
@pytest.mark.usefixtures("_shipped")
def test_the_shell_completes_values_of_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], incomplete: str, found: list[str]
) -> None:
    (tmp_path / "mlharness.toml").write_text("[profiles.nightly.bench]\n[profiles.ci.bench]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLH_CONFIG_DIR", str(tmp_path / "none"))
    assert completions(*words, incomplete=incomplete) == [f"plain:{name}" for name in found]


def test_completion_is_silent_when_names_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.cli.discovery.library", lambda: 1 / 0)
    assert completions("models", "show", incomplete="le") == ["file:le"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_mlh_back(mlh: Mlh, shell: str) -> None:
    ran = mlh("completion", shell)
    assert ran.code == 0
    assert f"{COMPLETE_VARIABLE}={shell}_complete" in ran.out
    assert mlh("completion", shell, "--json").document == {"shell": shell, "script": ran.out[:-1]}


def test_the_script_gets_its_answers_from_mlh(mlh: Mlh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPLETE_VARIABLE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "mlh models show le")
    monkeypatch.setenv("COMP_CWORD", "3")
    ran = mlh()
    assert (ran.code, ran.out) == (0, "plain,lenet\n")


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of a manifest, as the checker gives it."""

    file: Path
    line: int | None = 3
    key: str = "framwork"
    found: str = "framwork"
    allowed: tuple[str, ...] = ("framework",)
    suggestion: str = "framework"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: no such key"


def look_at(path: Path, library: ManifestLibrary) -> tuple[list[Problem], list[Problem]]:
    if path.stem == "missing":
        raise UserError(f"{path} is not there", "Check the spelling.")
    return [Problem(path)] * 2 if path.stem == "bad" else [], []


@pytest.fixture
def _checker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.manifest.provided.look_at", look_at)


@pytest.mark.usefixtures("_checker")
def test_every_problem_of_every_file_is_one_line(mlh: Mlh) -> None:
    ran = mlh("validate", "bad.yaml", "missing.yaml", "good.yaml")
    assert ran.code == 2
    assert ran.out.splitlines() == [
        "bad.yaml:3: framwork: no such key",
        "bad.yaml:3: framwork: no such key",
        "missing.yaml: missing.yaml is not there",
    ]
    assert ran.err.startswith("Error: 3 problems in 2 of 3 files\n")


@pytest.mark.usefixtures("_checker")
def test_problems_are_told_in_json_beside_the_error(mlh: Mlh) -> None:
    document = mlh("validate", "--json", "bad.yaml", "good.yaml").document
    assert document["error"]["message"] == "2 problems in 1 of 2 files"
    assert [len(file["problems"]) for file in document["files"]] == [2, 0]
    assert document["files"][0]["problems"][0]["allowed"] == ["framework"]


@pytest.mark.usefixtures("_checker")
def test_files_without_a_problem_end_with_0(mlh: Mlh) -> None:
    assert mlh("validate", "good.yaml") == type(mlh("validate", "good.yaml"))(0, "", "1 file: no problem\n")
    assert mlh("validate", "good.yaml", "--json").document == {
        "files": [{"file": "good.yaml", "problems": [], "warnings": []}]
    }


def test_trust_is_listed_and_withdrawn(mlh: Mlh, tmp_path: Path) -> None:
    assert mlh("trust", "list").err.startswith("Nothing is trusted")
    assert mlh("trust", "list", "--json").document == {"trusted": []}
    user_trust().remember("abc123", tmp_path / "model.yaml")
    heading, row = mlh("trust", "list").out.splitlines()
    assert heading.split() == ["SHA256", "PATH", "SINCE"]
    assert row.split()[:2] == ["abc123", str(tmp_path / "model.yaml")]
    assert datetime.now(timezone.utc) - datetime.fromisoformat(row.split()[2]) < timedelta(minutes=1)
    user_trust().remember("abd456", tmp_path / "other.yaml")
    assert "2 hashes begin with 'ab'" in mlh("trust", "revoke", "ab").err
    assert mlh("trust", "revoke", "abd").code == 0
    assert mlh("trust", "revoke", "xyz").code == 2
    assert mlh("trust", "revoke", "abc", "--json").document["revoked"]["sha256"] == "abc123"
    assert mlh("trust", "list", "--json").document == {"trusted": []}


@pytest.fixture
def _shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library, on the manifests of mlharness itself."""
    catalog = build_manager(allow=["builtin-null"]).catalog
    ManifestRegistrar(catalog, "builtin-manifests").folder(resource_folder("manifests"))
    monkeypatch.setattr("mlharness.cli.discovery.library", lambda block=(): ManifestLibrary(catalog))


@pytest.mark.usefixtures("_shipped")
@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_what_mlharness_ships_is_listed_shown_and_valid(mlh: Mlh, kind: str) -> None:
    listed = {row["name"]: row for row in mlh(kind, "--json").document[kind]}
    assert listed["null"]["error"] is None
    shown = mlh(kind, "show", "null", "--json").document
    assert shown["origin"]["plugin"] == "builtin-manifests"
    checked = mlh("validate", *sorted({row["path"] for row in listed.values()}))
    # the families of zoo models need plugins that are not loaded here, and nothing else is wrong with them
    assert [line for line in checked.out.splitlines() if " is named " not in line] == []
    assert mlh(kind, "show", "nul").code == 2
