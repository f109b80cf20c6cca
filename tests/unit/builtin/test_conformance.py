"""The built-in plugins hold to what is asked of every plugin."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.providers import Array, Arrays, Model, TensorSpec
from mlharness.testing import (
    DataSetConformance,
    FrameworkConformance,
    MetricConformance,
    SourceConformance,
    StepConformance,
)
from tests.unit.manifest.test_download import SHA256, URI, Server, server

__all__ = ["server"]  # a fixture, which pytest finds here


class TestNull(FrameworkConformance):
    framework = "null"

    def make_model(self, folder: Path) -> Model:
        inputs = (TensorSpec("x", "float32", (None, 16)),)
        return Model("null", (), inputs, (TensorSpec("y", "float32", (None, 3)),))

    def bad_models(self, folder: Path) -> Sequence[Model]:
        return [Model("nothing", ())]

    def wrong_batches(self, inputs: Sequence[TensorSpec], count: int) -> Sequence[Mapping[str, Array]]:
        """None: it is there to cost nothing, and looks at no array."""
        return ()


class TestNullDataSet(DataSetConformance):
    dataset = "null"
    count = 5

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"count": 5, "shape": [2, 3]}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        return [{"count": "many"}]


class TestTable(DataSetConformance):
    dataset = "table"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        (folder / "table.csv").write_text("1,2,0\n3,4,1\n5,6,0\n", "utf-8")
        return {"file": "table.csv", "shape": [2]}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        good = self.make_options(folder)
        (folder / "words.csv").write_text("one,two\n", "utf-8")
        wrong: tuple[dict[str, Any], ...] = ({"file": "missing.csv"}, {"file": "words.csv"}, {"shape": [7]})
        return [{**good, **change} for change in wrong]


class TestRandom(DataSetConformance):
    dataset = "random"
    count = 4

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"arrays": [{"shape": [2, 3]}, {"shape": [5], "dtype": "int64", "high": 9}], "count": 4}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        wrong: tuple[Any, ...] = (
            "one", {"shapes": [2]}, {}, {"shape": [0]}, {"shape": [2], "dtype": "text"},
            {"shape": [2], "low": 3, "high": 3}, {"shape": [2], "low": "a"},
        )  # fmt: skip
        return [{"arrays": [array]} for array in wrong] + [{"arrays": []}, {**self.make_options(folder), "seed": -1}]


class TestScale(StepConformance):
    step = "tensor.scale"
    parameters: Mapping[str, Any] = {"factor": 0.5, "offset": 1}
    gives = (("float32", (4, 4)),)
    bad_parameters = ({"factor": "much"},)

    def make_arrays(self) -> Arrays:
        return (np.arange(16, dtype=np.uint8).reshape(4, 4),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array(["text"]),)]


class TestReshape(StepConformance):
    step = "tensor.reshape"
    parameters: Mapping[str, Any] = {"shape": [1, 6]}
    bad_parameters = ({}, {"shape": 6})
    gives = (("int32", (1, 6)),)

    def make_arrays(self) -> Arrays:
        return (np.arange(6, dtype=np.int32).reshape(2, 3),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.arange(7),)]


class TestCast(StepConformance):
    step = "tensor.cast"
    parameters: Mapping[str, Any] = {"dtype": "float16"}
    gives = (("float16", (5,)),)
    bad_parameters = ({"dtype": "float17"}, {})

    def make_arrays(self) -> Arrays:
        return (np.arange(5, dtype=np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array(["text"]),)]


class TestArgmax(StepConformance):
    step = "tensor.argmax"
    gives = (("float32", (6, 1)),)

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(3).random((6, 4), np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros(4, np.float32),)]


class TestTopK(StepConformance):
    step = "tensor.top-k"
    parameters: Mapping[str, Any] = {"k": 2}
    gives = (("float32", (6, 2)),)
    bad_parameters = ({"k": 0}, {"k": "many"})

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(3).random((6, 4), np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros((3, 1), np.float32),), (np.zeros(4, np.float32),)]


class TestSoftmax(StepConformance):
    step = "tensor.softmax"
    gives = (("float32", (6, 4)),)

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(3).random((6, 4), np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array([["text"]]),)]


class TestPad(StepConformance):
    step = "tensor.pad"
    parameters: Mapping[str, Any] = {"length": 5, "axis": 1, "value": 7}
    gives = (("int64", (2, 5)),)
    bad_parameters = ({}, {"length": 0}, {"length": 5, "side": "left"})

    def make_arrays(self) -> Arrays:
        return (np.arange(6).reshape(2, 3),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.arange(6),)]


class TestTruncate(StepConformance):
    step = "tensor.truncate"
    parameters: Mapping[str, Any] = {"length": 2, "axis": -1}
    gives = (("int64", (2, 2)),)
    bad_parameters = ({}, {"length": 0}, {"length": 5, "side": "left"})

    def make_arrays(self) -> Arrays:
        return (np.arange(6).reshape(2, 3),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array(6),)]


class TestTopKAccuracy(MetricConformance):
    metric = "topk"
    options: Mapping[str, Any] = {"k": 2}
    expected = 50.0

    def make_responses(self) -> Mapping[int, Array]:
        return {index: np.array([index % 4, 9], np.float32) for index in range(8)}

    def label(self, index: int) -> int:
        return (index % 4, 9, 8, 7)[index % 4]


class TestTop1(MetricConformance):
    metric = "top1"
    expected = 75.0

    def make_responses(self) -> Mapping[int, Array]:
        return {index: np.array([index % 4], np.float32) for index in range(8)}

    def label(self, index: int) -> int:
        return min(index % 4, 2)


class TestFile(SourceConformance):
    scheme = "file"
    bad_uris = ("file://another-machine/model.onnx",)

    def make_uri(self, folder: Path) -> tuple[str, str]:
        file = folder / "model.bin"
        file.write_bytes(b"weights")
        return file.as_uri(), hashlib.sha256(b"weights").hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return (folder / "missing.bin").as_uri(), None


class TestPackage(SourceConformance):
    scheme = "pkg"
    bad_uris = ("pkg://mlharness", "pkg://mlharness/../secret", "pkg://no_such_package/file")

    def make_uri(self, folder: Path) -> tuple[str, str]:
        import mlharness

        content = Path(mlharness.__file__).read_bytes()
        return "pkg://mlharness/__init__.py", hashlib.sha256(content).hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "pkg://mlharness/missing.bin", None


class TestHttps(SourceConformance):
    """A file that has been fetched lies in the cache; the web is a server of this process."""

    scheme = "https"
    bad_uris = ("https://example.org/without-a-checksum",)

    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
        monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))

    def fetchable_uri(self, folder: Path) -> tuple[str, str]:
        return URI, SHA256

    def make_uri(self, folder: Path) -> tuple[str, str]:
        sha256 = hashlib.sha256(b"weights").hexdigest()
        cached = folder / "cache" / "files" / sha256
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(b"weights")
        return "https://example.org/model.bin", sha256

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "https://example.org/missing.bin", "1" * 64


class TestHttp(TestHttps):
    scheme = "http"
    bad_uris = ("http://example.org/without-a-checksum",)

    def fetchable_uri(self, folder: Path) -> tuple[str, str]:
        return URI.replace("https", "http"), SHA256

    def make_uri(self, folder: Path) -> tuple[str, str]:
        uri, sha256 = super().make_uri(folder)
        return uri.replace("https", "http"), sha256

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "http://example.org/missing.bin", "1" * 64
