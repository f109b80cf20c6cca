"""Bad input: exit code 2, one message, a remedy, never a traceback, and no run directory left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Bench, Ran
from tests.e2e.test_accuracy import VISION, changed_manifest


def check_refused(ran: Ran, *words: str) -> None:
    """Exit code 2 with a message and a remedy, in JSON and on stderr."""
    assert ran.code == 2, ran.err
    error = ran.document["error"]
    assert error["message"]
    assert error["remedy"]
    for word in words:
        assert word in f"{error['message']} {error['remedy']}"
    assert error["message"] in ran.err
    assert not ran.root.exists() or not list(ran.root.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("digits-cn",), ("no model is named 'digits-cn'", "'digits-cnn'")),
        (("there/is/none.yaml",), ("there/is/none.yaml",)),
        (("digits-cnn", "--dataset", "digit"), ("'digits'",)),
        (("digits-cnn", "--scenario", "Sever"), ("'Sever'", "'Server'")),
        (("digits-cnn", "--batchsize", "2"), ("'--batch-size'",)),
        (("digits-cnn", "--device", "cuda:7"), ("no device 'cuda:7'", "cpu")),
        (("digits-cnn", "--framework", "onnxruntim"), ("'onnxruntime'",)),
        (("digits-cnn", "--framework", "onnxruntime==0.1"), ("==0.1", "pip install")),
        (("digits-cnn", "--option", "nothing=1"), ("nothing",)),
        (("digits-cnn", "--option", "allow_spinning=perhaps"), ("allow_spinning", "boolean")),
        (("digits-cnn", "--block", "mlharness-onnxruntime"), ("onnxruntime", "Blocked")),
        (("digits-cnn", "--block", "mlharness-onxruntime"), ("'mlharness-onnxruntime'",)),
        (("digits-cnn", "--count", "0"), ("--count",)),
        (("digits-cnn", "--label", "x"), ("KEY=VALUE",)),
        (("digits-cnn", "--instances", "2"), ("SingleStream",)),
        (("digits-cnn", "--rules", "mlperf", "--duration", "5"), ("600",)),
        (("digits-cnn", "--rules", "mlperf", "--seed", "5"), ("seed",)),
        (("digits-cnn", "--user-conf", "nothing.conf"), ("nothing.conf",)),
        (("null", "--duration", "1000000"), ("GiB",)),
        (("null", "--mode", "accuracy"), ("metric",)),
    ],
)
def test_choices(bench: Bench, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    check_refused(bench(*arguments, "--json"), *words)


def model_files(source: str, sha256: str | None = None) -> dict[str, Any]:
    """The key ``model`` with one file."""
    return {"weights": "trained", "files": [{"source": source} | ({"sha256": sha256} if sha256 else {})]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": model_files("nothing.onnx")}, ("nothing.onnx",)),
        ({"model": model_files("garbage.onnx")}, ("cannot load garbage.onnx",)),
        ({"model": model_files("pkg://mlharness_vision/models/digits-cnn.onnx", "0" * 64)}, ("sha256", "0000")),
        ({"model": model_files("pkg://no_such_package/x.onnx")}, ("no_such_package", "pip install")),
        ({"model": model_files("https://localhost:9/x.onnx")}, ("sha256",)),
        ({"model": model_files("https://localhost:9/x.onnx", "0" * 64)}, ("localhost:9",)),
        ({"model": model_files("htp://localhost/x.onnx")}, ("'htp'", "https")),
        ({"preproces": []}, ("preproces", "'preprocess'")),
        ({"preprocess": ["tensor.scael"]}, ("changed.yaml", "'tensor.scale'")),
        ({"preprocess": [{"tensor.scale": {"fcator": 2}}]}, ("changed.yaml", "'factor'")),
        ({"metric": {"name": "top2"}}, ("'top1'",)),
        ({"inputs": [{"name": "image", "dtype": "float32", "shape": ["batch", 1, 8, 8]}]}, ("'image'",)),
    ],
)
def test_manifests(bench: Bench, tmp_path: Path, changes: dict[str, Any], words: tuple[str, ...]) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"no model")
    check_refused(bench(changed_manifest(tmp_path, **changes), "--json"), *words)


def test_bad_yaml(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: model\nname: [\n", "utf-8")
    check_refused(bench(str(tmp_path / "bad.yaml"), "--json"), "bad.yaml:3", "YAML")


def test_a_data_set_without_samples(bench: Bench, tmp_path: Path) -> None:
    dataset = yaml.safe_load((VISION / "manifests/datasets/digits.yaml").read_text("utf-8"))
    dataset["options"]["rows"] = [5, 5]
    path = tmp_path / "empty.yaml"
    path.write_text(yaml.safe_dump(dataset), "utf-8")
    check_refused(bench("digits-cnn", "--dataset", str(path), "--json"), "no samples")


def test_an_unreadable_photograph_is_found_before_loadgen(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photograph")
    items = [{"file": "pkg://skimage/data/coffee.png", "label": 967}, {"file": "broken.png", "label": 1}]
    dataset = {"kind": "dataset", "name": "x", "version": "1", "provider": "images", "options": {"items": items}}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(dataset), "utf-8")
    check_refused(bench("efficientnet-lite0", "--dataset", str(path), "--json"), "broken.png")


@pytest.mark.parametrize("root", ["/proc/runs", "file"])
def test_an_output_folder_that_cannot_be_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: str
) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    ran = bench("null", "--json", "--output", root)  # a second --output wins over the fixture's
    assert ran.code == 2
    assert "--output" in ran.document["error"]["remedy"]
