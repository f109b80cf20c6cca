"""Files that ONNX Runtime refuses, and models whose weights lie in other files."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import BIAS, WEIGHTS, Load, Save
from mlharness_onnxruntime import modelfile, plugin
from onnx import TensorProto, helper

from mlharness.errors import UserError
from mlharness.providers import Model


class TestRefused:
    """Exit code 2, one message, with a remedy that fits."""

    @pytest.mark.parametrize(
        ("spoil", "what", "remedy"),
        [
            (lambda data: b"", "it is empty", "Fetch"),
            (lambda data: b"this is no model", "it is text", "framework"),
            (
                lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                "a Git LFS pointer",
                "git lfs",
            ),
            (lambda data: pickle.dumps({"weights": [1.5]}, 2), "a pickle", "framework"),
            (lambda data: b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file", "framework"),
            (lambda data: b"\x1f\x8b\x08" + bytes(64), "gzip", "member"),
            (lambda data: b"\x20\0\0\0TFL3" + bytes(64), "a TensorFlow Lite model", "framework"),
            (lambda data: b"\x0a\x12\x0a\x01x\x12\x0dPlaceholderV2" * 3, "no ONNX graph", "framework"),
            (lambda data: data[: len(data) // 2], "damaged or cut off", "again"),
            (lambda data: data[:-1], "damaged or cut off", "again"),
            (lambda data: data.replace(b"MatMul", b"MatMuk"), "MatMuk", "operators"),
        ],
        ids=["empty", "text", "lfs", "pickle", "h5", "gzip", "tflite", "pb", "half", "a byte less", "unknown operator"],
    )
    def test_a_file(
        self, load: Load, linear: Path, spoil: Callable[[bytes], bytes], what: str, remedy: str
    ) -> None:  # fmt: skip
        linear.write_bytes(spoil(linear.read_bytes()))
        with pytest.raises(UserError, match=rf"ONNX Runtime cannot load tiny\.onnx: .*{what}") as caught:
            load(linear)
        assert remedy in caught.value.remedy
        assert "\n" not in caught.value.message
        assert "ONNXRuntimeError" not in caught.value.message

    def test_a_pytorch_file(self, load: Load, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        with pytest.raises(UserError, match=r"cannot load model\.pt: it is a zip archive, as PyTorch"):
            load(tmp_path / "model.pt")

    def test_a_file_that_is_not_there(self, load: Load, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"cannot load missing\.onnx") as caught:
            load(tmp_path / "missing.onnx")
        assert caught.value.remedy == "Check the path in the manifest."

    def test_a_manifest_without_a_file(self) -> None:
        with pytest.raises(UserError, match="tiny: the manifest names no model file") as caught:
            plugin.load(Model("tiny", ()), "cpu", {})
        assert ".onnx" in caught.value.remedy

    @pytest.mark.parametrize(("opset", "ir"), [(99, 8), (13, 99)])
    def test_a_model_from_the_future(self, load: Load, save: Save, opset: int, ir: int) -> None:
        path = save([helper.make_node("Relu", ["x"], ["y"])], *[[(n, TensorProto.FLOAT, ["b", 2])] for n in "xy"])
        model = onnx.load(str(path))
        model.ir_version, model.opset_import[0].version = ir, opset
        path.write_bytes(model.SerializeToString())
        with pytest.raises(UserError, match=r"cannot load tiny\.onnx") as caught:
            load(path)
        assert caught.value.remedy.startswith("Upgrade onnxruntime")


@pytest.mark.parametrize(
    ("said", "what", "remedy"),
    [
        (
            "/src/state.cc:729 void register(Options&, const ProviderOptions&) Please install TensorRT libraries",
            "Please install TensorRT libraries",
            "Install the TensorRT",
        ),
        (
            "/src/python/state.cc:1053 std::shared_ptr<F> create(const Options&) Invalid OpenVINO EP option: nonsense",
            "Invalid OpenVINO EP option: nonsense",
            "Correct provider_options",
        ),
        ("[ONNXRuntimeError] : 1 : FAIL : something (of a & kind)", "something (of a & kind)", "Check that"),
    ],
)
def test_what_onnx_runtime_says_is_told_without_its_own_numbers(
    linear: Path, said: str, what: str, remedy: str
) -> None:
    error = modelfile.refusal(linear, RuntimeError(said))
    assert error.message == f"ONNX Runtime cannot load tiny.onnx: {what}"
    assert error.remedy.startswith(remedy)


class TestExternalData:
    """Weights in a second file, as exporters write large models."""

    @pytest.fixture
    def files(self, linear: Path) -> tuple[Path, Path]:
        onnx.save(
            onnx.load(str(linear)), str(linear), save_as_external_data=True, location="tiny.onnx.data", size_threshold=0
        )
        return linear, linear.with_name("tiny.onnx.data")

    def check(self, load: Load, *files: Path) -> None:
        x = np.random.default_rng(4).standard_normal((2, 4)).astype(np.float32)
        loaded = load(files)
        np.testing.assert_allclose(loaded.predict({"x": x})[0], x @ WEIGHTS + BIAS, rtol=1e-5, atol=1e-6)
        assert plugin.complexity(loaded, {"x": x}).parameters == 15
        assert plugin.complexity(loaded, {"x": x}).multiply_adds == 12
        loaded.close()

    def test_beside_the_model(self, load: Load, files: tuple[Path, Path], tmp_path: Path) -> None:
        self.check(load, *files)
        self.check(load, files[0])
        assert not (tmp_path / "cache").exists()

    def test_from_a_cache_under_other_names(self, load: Load, files: tuple[Path, Path], tmp_path: Path) -> None:
        cached = [file.rename(tmp_path / name) for file, name in zip(files, ("5ac3", "91fe"), strict=True)]
        self.check(load, *cached)
        assert list((tmp_path / "cache" / "onnxruntime").iterdir()) == []

    def test_the_listed_file_is_taken_before_one_that_lies_beside(
        self, load: Load, files: tuple[Path, Path], tmp_path: Path
    ) -> None:
        (tmp_path / "right").mkdir()
        right = files[1].rename(tmp_path / "right" / files[1].name)
        files[1].write_bytes(bytes(right.stat().st_size))
        self.check(load, files[0], right)

    def test_where_no_second_name_can_be_made(
        self, load: Load, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError("another file system")

        monkeypatch.setattr(os, "link", refuse)
        self.check(load, files[0], files[1].rename(tmp_path / "data"))

    def test_missing(self, load: Load, files: tuple[Path, Path]) -> None:
        files[1].unlink()
        with pytest.raises(UserError, match=r"cannot load tiny\.onnx") as caught:
            load(files[0])
        assert "after the .onnx file under model.files" in caught.value.remedy

    def test_unclear(self, load: Load, files: tuple[Path, Path], tmp_path: Path) -> None:
        others = [tmp_path / name for name in ("a", "b")]
        files[1].rename(others[0])
        others[1].write_bytes(b"")
        with pytest.raises(UserError, match=r"keeps weights in tiny\.onnx\.data, and it is unclear which"):
            load([files[0], *others])

    @pytest.mark.parametrize("location", ["../w", "/etc/passwd"])
    def test_outside_the_folder(self, location: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="outside its folder"):
            modelfile.pair([location], [tmp_path / "w"], tmp_path / "m.onnx")

    def test_a_further_file_that_holds_no_weights(self, load: Load, linear: Path, tmp_path: Path) -> None:
        (tmp_path / "labels.txt").write_text("cat\ndog\n")
        self.check(load, linear, tmp_path / "labels.txt")
