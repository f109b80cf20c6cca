"""``mlh init model`` and ``mlh init package``: from a model's file to a manifest that runs, and to its package."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import mlharness_vision
import pytest
import yaml

from tests.unit.cli.conftest import Mlh

NETWORK = Path(mlharness_vision.__file__).parent / "models" / "digits-cnn.onnx"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    shutil.copy(NETWORK, place / "net.onnx")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``terminal(answer, ...)``: someone sits there and answers; returns the questions that are asked."""

    def sit(*answers: str) -> list[str]:
        left, asked = list(answers), list[str]()

        def prompt(text: str, **options: object) -> str:
            asked.append(text)
            return left.pop(0)

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.prompt", prompt)
        return asked

    return sit


def test_random_numbers_without_a_data_set(mlh: Mlh, folder: Path) -> None:
    ran = mlh("init", "model", "net.onnx", "--json")
    assert ran.code == 0, ran.err
    assert ran.document["files"] == ["net.yaml", "net-data.yaml"]
    assert mlh("validate", "net.yaml", "net-data.yaml").code == 0
    assert mlh("bench", "./net.yaml", "--duration", "0.3").code == 0


def test_a_data_set_is_made_to_fit(mlh: Mlh, folder: Path) -> None:
    assert mlh("init", "model", "net.onnx", "--dataset", "digits").code == 0
    written = yaml.safe_load((folder / "net.yaml").read_text())
    assert written["preprocess"] == [{"tensor.reshape": {"shape": [1, 8, 8]}}]
    assert written["model"]["files"] == ["net.onnx"]
    assert written["metric"] == {"name": "top1"}
    assert mlh("bench", "./net.yaml", "--duration", "0.3", "--mode", "both", "-q").code == 0


def test_like_another_model(mlh: Mlh, folder: Path) -> None:
    assert mlh("init", "model", "net.onnx", "--like", "digits-cnn", "--output", "sub/own.yaml").code == 0
    written = yaml.safe_load((folder / "sub" / "own.yaml").read_text())
    assert written["preprocess"][0] == {"tensor.scale": {"factor": 0.0625}}
    assert Path(written["model"]["files"][0]).is_absolute()  # it does not lie in the manifest's folder


def test_a_data_set_that_does_not_fit(mlh: Mlh, folder: Path) -> None:
    ran = mlh("init", "model", "net.onnx", "--dataset", "photos")
    assert ran.code != 0
    assert "photos" in ran.err or "sample 0" in ran.err
    assert not (folder / "net.yaml").exists()


def test_what_is_there_stays(mlh: Mlh, folder: Path) -> None:
    (folder / "net.yaml").write_text("mine")
    ran = mlh("init", "model", "net.onnx")
    assert ran.code == 2
    assert "net.yaml exists already" in ran.err
    assert (folder / "net.yaml").read_text() == "mine"
    assert mlh("init", "model", "net.onnx", "--force").code == 0


def test_a_file_that_nobody_knows(mlh: Mlh, folder: Path) -> None:
    (folder / "net.onnx").rename(folder / "net.bin")
    ran = mlh("init", "model", "net.bin")
    assert ran.code == 2
    assert "--framework NAME" in ran.err
    assert mlh("init", "model", "net.bin", "--framework", "onnxruntime").code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("missing.onnx",), "missing.onnx"),
        (("net.onnx", "--shape", "images"), "is no shape"),
        (("net.onnx", "--shape", "imags=1,8,8"), "Did you mean 'images'"),
        (("net.onnx", "--shape", "images=3,8,8"), "the model has [1, 8, 8]"),
        (("net.onnx", "--like", "digits-cn"), "Did you mean 'digits-cnn'"),
        (("net.onnx", "--framework", "onnx"), "no framework is named"),
    ],
)
def test_bad_input_is_one_message(mlh: Mlh, folder: Path, options: tuple[str, ...], told: str) -> None:
    ran = mlh("init", "model", *options)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx"]


def test_the_questions_of_a_terminal(mlh: Mlh, folder: Path, terminal: Callable[..., list[str]]) -> None:
    asked = terminal("digits-cnn")
    assert mlh("init", "model", "net.onnx").code == 0
    assert len(asked) == 1
    assert "digits-cnn" in asked[0]
    assert yaml.safe_load((folder / "net.yaml").read_text())["dataset"] == "digits"


def test_a_terminal_may_want_nothing(mlh: Mlh, folder: Path, terminal: Callable[..., list[str]]) -> None:
    (folder / "net.onnx").rename(folder / "net.bin")
    asked = terminal("onnxruntime", "none")
    assert mlh("init", "model", "net.bin").code == 0
    assert [question.split()[0] for question in asked] == ["Framework", "Data"]
    assert (folder / "net-data.yaml").exists()


def test_a_package_of_manifests(mlh: Mlh, folder: Path) -> None:
    assert mlh("init", "model", "net.onnx", "--dataset", "digits").code == 0
    ran = mlh("init", "package", "handwriting", "net.yaml", "--json")
    assert ran.code == 0, ran.err
    root = folder / "mlharness-handwriting"
    written = root / "src" / "mlharness_handwriting"
    assert (written / "files" / "net.onnx").read_bytes() == NETWORK.read_bytes()
    assert '"mlharness-onnxruntime", "mlharness-vision"' in (root / "pyproject.toml").read_text()
    assert sorted(ran.document["files"]) == sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
    )
    assert mlh("validate", str(written / "manifests" / "models" / "net.yaml")).code == 0


def test_a_package_needs_a_model(mlh: Mlh, folder: Path) -> None:
    ran = mlh("init", "package", "handwriting", "missing.yaml")
    assert ran.code == 2
    assert "missing.yaml" in ran.err
