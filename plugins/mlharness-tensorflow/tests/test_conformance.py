"""Framework and source hold to the contract, with small networks of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from conftest import SETTINGS, freeze_linear, save_keras, save_linear
from mlharness_tensorflow import zoo
from mlharness_tensorflow.zoo_uri import parse

from mlharness.providers import Model, TensorSpec
from mlharness.testing import FrameworkConformance, SourceConformance, TracerConformance


class TestKerasFile(FrameworkConformance):
    framework = "tensorflow"
    imports = ("tensorflow", "keras")
    options = SETTINGS

    def make_model(self, folder: Path) -> Model:
        return Model("linear", (save_keras(folder),))


class TestSavedModel(TestKerasFile):
    def make_model(self, folder: Path) -> Model:
        return Model("linear", (save_linear(folder),))


class TestSavedModelWithVariables(TestSavedModel):
    """Not frozen: weights stay variables."""

    options = {**SETTINGS, "freeze": False}  # noqa: RUF012  # read only


class TestXplaneTracer(TracerConformance):
    tracer = "tensorflow-xplane"
    framework = "tensorflow"
    options = SETTINGS

    def make_model(self, folder: Path) -> Model:
        return Model("linear", (save_keras(folder),))


class TestFrozenGraph(TestKerasFile):
    def make_model(self, folder: Path) -> Model:
        inputs = (TensorSpec("x", "float32", (None, 4)),)
        outputs = (TensorSpec("Identity", "float32", (None, 3)), TensorSpec("Identity_1:0", "float32", (None, 3)))
        return Model("linear", (freeze_linear(folder),), inputs, outputs)


class TestKerasZoo(SourceConformance):
    scheme = "keras"
    bad_uris = (
        "keras://",
        "keras://?weights=none",
        "keras://resnet50",
        "keras://resnet50?weights=",
        "keras://resnet50?weights=imagenette",
        "keras://resnet50?weight=none",
        "keras://resnet50?weights=none&weights=none",
        "keras://resnet50?weights=none&seed=-1",
        "keras://resnet50?weights=imagenet&seed=1",
        "keras://resnet50/../x?weights=none",
        "keras://resnet50?weights=none#top",
        "keras://[resnet50?weights=none",
        "keras://resnet50?weights",
    )

    @pytest.fixture(autouse=True)
    def _own_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))

    def make_uri(self, folder: Path) -> tuple[str, str]:
        """As if the file had been made before."""
        uri = "keras://MobileNet_V2?weights=none"
        path = zoo.cached_path(parse(uri))
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a model")
        return uri, hashlib.sha256(b"a model").hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "keras://resnet50?weights=none&seed=9", None
