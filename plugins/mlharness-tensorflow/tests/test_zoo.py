"""The zoo: URIs, the cache, and what is built, with a stand-in where a network would be large."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Load
from mlharness_tensorflow import networks, zoo, zoo_models
from mlharness_tensorflow.process import import_keras
from mlharness_tensorflow.zoo_uri import ZooModel, parse

from mlharness.errors import UserError


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A network of the zoo, ``tiny``; the list tells how often it was built."""
    keras, built = import_keras(), []

    def make(classes: int) -> Any:
        built.append("tiny")
        images = keras.Input((4, 4, 3))
        x = keras.layers.DepthwiseConv2D(3, name="depthwise")(images)
        return keras.Model(images, keras.layers.Dense(5)(keras.layers.Flatten()(x)))

    monkeypatch.setattr(networks, "BUILDERS", {"tiny": make})
    return built


class TestUris:
    @pytest.mark.parametrize("name", ["ResNet50", "resnet50", "resnet_50", "RESNET-50"])
    def test_every_spelling_is_one_model(self, name: str) -> None:
        assert parse(f"keras://{name}?weights=none").uri == "keras://resnet50?weights=none&seed=0"

    def test_all_that_can_be_asked_for(self) -> None:
        assert parse("keras://a?seed=7&format=onnx&weights=none") == ZooModel("a", "none", 7, "onnx")
        assert parse("keras://a?weights=imagenet").uri == "keras://a?weights=imagenet"

    @pytest.mark.parametrize(
        ("query", "remedy"),
        [
            ("weights=imagnet", "Did you mean 'imagenet'?"),
            ("weight=none", "Did you mean 'weights'?"),
            ("weights=none&format=onx", "Did you mean 'onnx'?"),
            ("weights=none&sead=1", "Did you mean 'seed'?"),
        ],
    )
    def test_a_slip_is_answered_with_what_was_meant(self, query: str, remedy: str) -> None:
        with pytest.raises(UserError) as caught:
            parse(f"keras://resnet50?{query}")
        assert remedy in caught.value.remedy


class TestCache:
    def test_it_is_made_once_and_found_again(self, tiny: list[str]) -> None:
        uri = "keras://tiny?weights=none"
        assert zoo.locate(uri, None) is None
        with ThreadPoolExecutor(4) as threads:
            paths = set(threads.map(lambda _: zoo.fetch(uri, None, quiet), range(4)))
        assert paths == {zoo.locate(uri, None)}
        assert tiny == ["tiny"]
        (path,) = paths
        assert path.name == "tiny.keras"
        assert sorted(item.name for item in path.parent.iterdir()) == ["lock", "tiny.keras"]

    def test_what_an_interrupted_process_left_is_not_used(self, tiny: list[str]) -> None:
        uri = "keras://tiny?weights=none"
        path = zoo.cached_path(parse(uri))
        assert path is not None
        path.parent.mkdir(parents=True)
        path.with_name("incomplete.keras").write_bytes(b"half")
        assert zoo.locate(uri, None) is None
        assert zoo.fetch(uri, None, quiet).stat().st_size > 100
        assert not path.with_name("incomplete.keras").exists()

    def test_another_keras_makes_another_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = zoo.cached_path(parse("keras://tiny?weights=none"))
        monkeypatch.setattr(zoo, "version", lambda name: "9.9")
        assert zoo.cached_path(parse("keras://tiny?weights=none")) != first

    def test_without_keras_nothing_is_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> str:
            raise PackageNotFoundError(name)

        monkeypatch.setattr(zoo, "version", missing)
        assert zoo.locate("keras://tiny?weights=none", None) is None
        with pytest.raises(UserError, match="Keras is not installed"):
            zoo.fetch("keras://tiny?weights=none", None, quiet)

    def test_a_cache_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "file"))
        with pytest.raises(UserError, match="cannot be used") as caught:
            zoo.fetch("keras://tiny?weights=none", None, quiet)
        assert "MLH_CACHE_DIR" in caught.value.remedy

    def test_the_wrong_checksum(self, tiny: list[str]) -> None:
        with pytest.raises(UserError, match="wrong sha256"):
            zoo.fetch("keras://tiny?weights=none", "0" * 64, quiet)


class TestModels:
    def predict(self, load: Load, uri: str) -> Any:
        loaded = load(zoo.fetch(uri, None, quiet))
        assert [spec.name for spec in (*loaded.inputs, *loaded.outputs)] == ["images", "logits"]
        return loaded.predict({"images": np.ones((1, 4, 4, 3), np.float32)})[0]

    def test_weights_come_from_the_seed(
        self, load: Load, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = [self.predict(load, f"keras://tiny?weights=none&seed={seed}") for seed in (0, 1)]
        monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "other"))
        np.testing.assert_array_equal(self.predict(load, "keras://tiny?weights=none"), found[0])
        assert not np.allclose(found[0], found[1])

    def test_the_export_computes_the_same(self, tiny: list[str]) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        path = zoo.fetch("keras://tiny?weights=none&format=onnx", None, quiet)
        assert path.name == "tiny.onnx"
        model = onnx.load(path)
        assert [tensor.name for tensor in (*model.graph.input, *model.graph.output)] == ["images", "logits"]
        x = np.random.default_rng(4).random((2, 4, 4, 3)).astype(np.float32)
        network = import_keras().models.load_model(zoo.fetch("keras://tiny?weights=none", None, quiet))
        found: Any = ReferenceEvaluator(model).run(["logits"], {"images": x})
        np.testing.assert_allclose(found[0], network(x, training=False).numpy(), rtol=1e-4, atol=1e-5)

    def test_an_unknown_name(self) -> None:
        with pytest.raises(UserError, match="has no 'resnet51'") as caught:
            zoo.fetch("keras://resnet51?weights=none", None, quiet)
        assert "Did you mean 'ResNet5" in caught.value.remedy

    def test_the_families_are_complete(self) -> None:
        wanted = [
            "alexnet",
            "vgg16",
            *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
            "mobilenet",
            "mobilenetv2",
        ]
        assert set(wanted) <= set(zoo_models.names())

    def test_what_keras_lacks_has_no_trained_weights(self) -> None:
        with pytest.raises(UserError, match="no imagenet weights") as caught:
            zoo.fetch("keras://alexnet?weights=imagenet", None, quiet)
        assert caught.value.remedy == "Use weights=none."

    def test_a_download_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(**asked: Any) -> Any:
            assert asked == {"weights": "imagenet", "classifier_activation": None}
            raise OSError("URL fetch failure on https://example.org: no route")

        self.stand_in(monkeypatch, refuse)
        with pytest.raises(UserError, match="cannot bring the weights: URL fetch failure") as caught:
            zoo.fetch("keras://standin?weights=imagenet", None, quiet)
        assert "weights=none" in caught.value.remedy

    def test_a_download_that_succeeds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keras = import_keras()

        def bring(**asked: Any) -> Any:
            images = keras.Input((4, 4, 3))
            return keras.Model(images, keras.layers.GlobalAveragePooling2D()(images))

        self.stand_in(monkeypatch, bring)
        assert zoo.fetch("keras://StandIn?weights=imagenet", None, quiet).name == "standin.keras"

    def stand_in(self, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any]) -> None:
        """Keras' zoo has ``StandIn``."""
        monkeypatch.setattr(import_keras().applications, "StandIn", make, raising=False)
