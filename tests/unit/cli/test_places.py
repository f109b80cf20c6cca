"""Errors that show late still say where their cause stands: file, line and key. Found by fuzzing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from mlharness.cli.main import main
from tests.unit.cli.conftest import Mlh

MANIFEST = """\
kind: model
name: m
version: "1"
framework:
  name: "null"
  options: {largest_batch: 8}
inputs: [{name: x, dtype: float32, shape: [null, 16]}]
outputs: [{name: y, dtype: float32, shape: [null, 1]}]
dataset: "null"
metric: {name: top1}
"""
DATASET = 'kind: dataset\nname: d\nversion: "1"\nprovider: "null"\noptions: {count: 8}\n'


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('name: "null"\n  options', "name: nul\n  options", "5: framework.name: no framework is named 'nul'"),
        ("largest_batch", "biggest", "6: framework.options.biggest: framework 'null' has no such option"),
        ('dataset: "null"', "dataset: nowhere", "9: dataset: no data set is named 'nowhere'"),
        ('dataset: "null"', "dataset: ./nowhere.yaml", "9: dataset: there is no file "),
        ("top1", "top2", "10: metric.name: no metric is named 'top2'"),
        ("{name: top1}", "{name: top1, options: {a: 1}}", "10: metric.options.a: metric 'top1' has no such option"),
        ('dataset: "null"\n', "", "1: dataset: the manifest of m names no data set"),
        ("inputs:", "model: {files: [m.yaml, gone.onnx]}\ninputs:", "7: model.files[1]: there is no file gone.onnx"),
        ("inputs:", "model:\n  files:\n  - s5://b\ninputs:", "9: model.files[0]: s5://b: no source is named 's5'"),
    ],
)
def test_what_a_manifest_asks_for_and_nobody_has(mlh: Mlh, tmp_path: Path, old: str, new: str, place: str) -> None:
    path = tmp_path / "m.yaml"
    assert old in MANIFEST
    path.write_text(MANIFEST.replace(old, new))
    ran = mlh("bench", "--dry-run", str(path))
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {path}:{place}")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('provider: "null"', "provider: nul", "4: provider: no "),
        ("count", "number", "5: options.number: data-set kind 'null' has no such option"),
    ],
)
def test_what_a_data_set_asks_for_and_nobody_has(mlh: Mlh, tmp_path: Path, old: str, new: str, place: str) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(DATASET.replace(old, new))
    ran = mlh("bench", "--dry-run", "null", "--dataset", str(path))
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {path}:{place}")


def test_problems_of_a_data_sets_file_stand_there(mlh: Mlh, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MANIFEST.replace('dataset: "null"', "dataset: ./d.yaml"))
    (tmp_path / "d.yaml").write_text(DATASET.replace("provider", "provide"))
    ran = mlh("bench", "--dry-run", str(tmp_path / "m.yaml"))
    assert ran.err.startswith(f"Error: {tmp_path / 'd.yaml'}:")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('label = ["x"]', "label"),
        ('option = ["x"]', "option"),
        ('option = ["biggest=1"]', "option"),
        ('framework = "nul"', "framework"),
        ('dataset = "nowhere"', "dataset"),
        ("duration = -1", "duration"),
        ('scenario = "Ofline"', "scenario"),
        ('block = ["nobody"]', "block"),
    ],
)
def test_values_of_a_configuration_file(
    mlh: Mlh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, key: str
) -> None:
    file = tmp_path / "mlharness.toml"
    file.write_text(f"[bench]\n{line}\n")
    monkeypatch.chdir(tmp_path)
    ran = mlh("bench", "null", "--dry-run")
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {file}:2: [bench]: {key}")


def test_a_profiles_value_is_blamed_on_the_profile(mlh: Mlh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mlharness.toml"
    file.write_text('[bench]\nlabel = ["a=b"]\n[profiles.ci.bench]\nlabel = ["x"]\n')
    monkeypatch.chdir(tmp_path)
    assert mlh("bench", "null", "--dry-run").code == 0
    ran = mlh("bench", "null", "--dry-run", "--profile", "ci")
    assert ran.err.startswith(f"Error: {file}:4: [profiles.ci.bench]: label: --label 'x'")


def test_the_command_lines_own_mistake_is_not_blamed_on_the_file(
    mlh: Mlh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlharness.toml").write_text('[bench]\nlabel = ["a=b"]\nduration = 1\n')
    monkeypatch.chdir(tmp_path)
    assert mlh("bench", "null", "--dry-run", "--label", "x").err.startswith("Error: --label 'x'")
    assert mlh("bench", "nul", "--dry-run").err.startswith("Error: no model is named 'nul'")


def test_an_unknown_option_before_the_command_leaves_json_in_force(mlh: Mlh) -> None:
    ran = mlh("--json")
    assert ran.code == 2
    assert ran.document["error"]["message"].startswith("there is no option --json")


def test_a_byte_that_is_no_utf8_in_an_argument(monkeypatch: pytest.MonkeyPatch, mlh: Mlh) -> None:
    """It reaches Python as half a character, which no UTF-8 stream takes."""
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, "utf-8"))
    assert main(["validate", "\udcff", "--json"]) == 2
    sys.stdout.flush()
    assert "\udcff" in json.loads(kept.getvalue())["files"][0]["file"]


def test_a_user_confs_lines_are_those_of_an_editor(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "user.conf"
    path.write_bytes("# a\u2028b\x1e\r\n*.*.min_duration = 1\r\nnonsense\r\n".encode())
    ran = mlh("bench", "null", "--dry-run", "--user-conf", str(path))
    assert ran.err.startswith(f"Error: {path}:3: 'nonsense' is not a setting")


def test_everything_that_is_wrong_is_told_at_once(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST.replace("version", "versoin").replace("top1", "top2").replace("largest", "biggest"))
    keys = ["version", "versoin", "framework.options.biggest_batch", "metric.name"]
    for words in (("validate",), ("bench", "--dry-run")):
        ran = mlh(*words, str(path))
        told = (ran.out or ran.err.removeprefix("Error: ")).splitlines()
        assert ran.code == 2
        assert [line.split(": ")[1] for line in told if line.startswith(str(path))] == keys


def test_a_plugin_that_is_blocked_may_have_what_is_missing(mlh: Mlh, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    for words in (("validate",), ("bench", "--dry-run")):
        ran = mlh(*words, str(path), "--block", "builtin-accuracy")
        assert f"{path}:10: metric.name: no metric is named 'top1' (allowed: " in ran.out + ran.err
        assert "Blocked: builtin-accuracy." in ran.err
