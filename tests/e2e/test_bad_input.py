"""Bad input: exit code 2, one message, a remedy, never a traceback, and no run directory left."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Bench, Ran
from tests.e2e.test_accuracy import VISION, changed_manifest
from tests.fakes import copy_fake

BROKEN = ("missing-import", "wrong-signature", "newer-api", "twin-one", "twin-two", "raising", "unknown-hook")


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
        (("digits-cnn", "--framework", "onnxruntime==0.1"), ("==0.1", "mlh env create")),
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
def test_choices(bench_here: Bench, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    check_refused(bench_here(*arguments, "--json"), *words)


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
        ({"metric": {"name": "tob1"}}, ("'top1'",)),
        ({"inputs": [{"name": "image", "dtype": "float32", "shape": ["batch", 1, 8, 8]}]}, ("'image'",)),
    ],
)
def test_manifests(bench_here: Bench, tmp_path: Path, changes: dict[str, Any], words: tuple[str, ...]) -> None:
    (tmp_path / "garbage.onnx").write_bytes(b"no model")
    check_refused(bench_here(changed_manifest(tmp_path, **changes), "--json"), *words)


def test_bad_yaml(bench_here: Bench, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: model\nname: [\n", "utf-8")
    check_refused(bench_here(str(tmp_path / "bad.yaml"), "--json"), "bad.yaml:3", "YAML")


def test_a_data_set_without_samples(bench_here: Bench, tmp_path: Path) -> None:
    dataset = yaml.safe_load((VISION / "manifests/datasets/digits.yaml").read_text("utf-8"))
    dataset["options"]["rows"] = [5, 5]
    path = tmp_path / "empty.yaml"
    path.write_text(yaml.safe_dump(dataset), "utf-8")
    check_refused(bench_here("digits-cnn", "--dataset", str(path), "--json"), "no samples")


def test_an_unreadable_photograph_is_found_before_loadgen(bench_here: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photograph")
    items = [{"file": "pkg://skimage/data/coffee.png", "label": 967}, {"file": "broken.png", "label": 1}]
    dataset = {"kind": "dataset", "name": "x", "version": "1", "provider": "images", "options": {"items": items}}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(dataset), "utf-8")
    check_refused(bench_here("efficientnet-lite0", "--dataset", str(path), "--json"), "broken.png")


@pytest.mark.parametrize("root", ["/proc/runs", "file"])
def test_an_output_folder_that_cannot_be_written(
    bench_here: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: str
) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    ran = bench_here("null", "--json", "--output", root)  # a second --output wins over the fixture's
    assert ran.code == 2
    assert "--output" in ran.document["error"]["remedy"]


@pytest.fixture
def broken(environment: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """Environment variables with which ``mlh`` finds every plugin that cannot be used."""
    for name in BROKEN:
        copy_fake(tmp_path / "site", name)
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({"framework": {"name": "nowhere"}}, ("mlh-fake-missing-import", "mlh_fake_nowhere_to_be_found")),
        ({"preprocess": ["wrong.same"]}, ("'wrong.same'", "mlh-fake-wrong-signature", "colour")),
        ({"framework": {"name": "future"}}, ("'future'", "mlh-fake-newer-api", "hook API 99")),
        ({"framework": {"name": "twin"}}, ("mlh-fake-twin-one and mlh-fake-twin-two", "--block")),
        ({"framework": {"name": "half"}}, ("'half'", "mlh-fake-raising", "the disk is on fire")),
    ],
)
def test_a_run_that_needs_a_broken_plugin(
    bench: Bench, broken: dict[str, str], tmp_path: Path, needs: dict[str, Any], words: tuple[str, ...]
) -> None:
    check_refused(bench(changed_manifest(tmp_path, **needs), "--json", env=broken), *words)


def test_a_run_that_needs_no_broken_plugin(bench: Bench, broken: dict[str, str]) -> None:
    ran = bench("null", "--duration", "1", "--json", env=broken)
    assert ran.code == 0, ran.err
    assert ran.document["status"] == "valid"


BOMB = "kind: model\na: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, ("bomb.yaml:", "aliases expanded")),
        ("kind: model\n# " + "x" * (1 << 20), ("bomb.yaml", "1 MiB")),
        ("kind: model\nname: " + "[" * 10_000 + "]" * 10_000, ("bomb.yaml:2", "nested too deeply")),
    ],
)
def test_hostile_yaml(bench_here: Bench, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "bomb.yaml").write_text(text, "utf-8")
    check_refused(bench_here(str(tmp_path / "bomb.yaml"), "--json"), *words)


DIGITS = (VISION / "models/digits-cnn.onnx").read_bytes() if (VISION / "models/digits-cnn.onnx").exists() else b""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (DIGITS[: len(DIGITS) // 2], ("cannot load model.onnx",)),
        (b"PK\3\4" + bytes(500), ("cannot load model.onnx",)),  # as PyTorch's files begin
        (b"\x1c\0\0\0TFL3" + bytes(500), ("cannot load model.onnx",)),
        (b"", ("model.onnx",)),
    ],
)
def test_a_model_that_is_cut_off_or_of_another_framework(
    bench_here: Bench, tmp_path: Path, content: bytes, words: tuple[str, ...]
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    check_refused(bench_here(changed_manifest(tmp_path, model=model_files("model.onnx")), "--json"), *words)


def pack(path: Path, name: str, content: bytes) -> str:
    """A tar.gz archive with one file; returns its sha256."""
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def archived(member: str, sha256: str | None = None) -> dict[str, Any]:
    """The key ``model`` with one file of the archive ``m.tar.gz``."""
    checksum = {"sha256": sha256} if sha256 else {}
    return {"weights": "trained", "files": [{"source": "m.tar.gz", "member": member, **checksum}]}


@pytest.mark.parametrize(
    ("inside", "member", "checksum", "words"),
    [
        ("../evil.onnx", "../evil.onnx", None, ("m.tar.gz", "'../evil.onnx'", "out of the archive's own folder")),
        ("/evil.onnx", "model.onnx", None, ("m.tar.gz", "'/evil.onnx'", "out of the archive's own folder")),
        ("model.onnx", "modell.onnx", None, ("m.tar.gz holds no 'modell.onnx'", "'model.onnx'")),
        ("model.onnx", "model.onnx", "0" * 64, ("m.tar.gz", "sha256", "0000")),
    ],
)
def test_archives(
    bench_here: Bench, tmp_path: Path, inside: str, member: str, checksum: str | None, words: tuple[str, ...]
) -> None:
    pack(tmp_path / "m.tar.gz", inside, DIGITS)
    check_refused(bench_here(changed_manifest(tmp_path, model=archived(member, checksum)), "--json"), *words)
    assert not list(tmp_path.rglob("evil*"))


def test_a_model_out_of_an_archive(bench: Bench, tmp_path: Path) -> None:
    sha256 = pack(tmp_path / "m.tar.gz", "digits/model.onnx", DIGITS)
    path = changed_manifest(tmp_path, model=archived("digits/model.onnx", sha256))
    ran = bench(path, "--duration", "1", "--json")
    assert ran.code == 0, ran.err
    assert ran.document["model"]["files"] == [{"path": "m.tar.gz", "sha256": hashlib.sha256(DIGITS).hexdigest()}]


def test_samples_that_the_memory_cannot_hold(bench_here: Bench, tmp_path: Path) -> None:
    """Four samples of 16 MiB would fit; the performance set has a million."""
    shape = [1 << 22]
    dataset = {"kind": "dataset", "name": "vast", "version": "1", "provider": "null"}
    options = {"count": 1_000_000, "shape": shape}
    (tmp_path / "vast.yaml").write_text(yaml.safe_dump({**dataset, "options": options}), "utf-8")
    model = {
        "kind": "model", "name": "vast", "version": "1", "framework": {"name": "null"}, "dataset": "./vast.yaml",
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", *shape]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}],
        "mlperf": {"performance_sample_count": 1_000_000},
    }  # fmt: skip
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model), "utf-8")
    ran = bench_here(str(tmp_path / "model.yaml"), "--json")
    check_refused(ran, "1000000 preprocessed samples need 15625.0 GiB", "are free", "performance_sample_count")
    assert "measure" not in ran.err
