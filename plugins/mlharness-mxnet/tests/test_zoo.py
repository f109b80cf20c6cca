"""Fetching from the zoo: seeded weights, trained ones from a stand-in for the web, what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Load
from mlharness_mxnet import building, zoo

from mlharness.errors import UserError
from mlharness.manifest.files import digest
from mlharness.providers import Array, TensorSpec

SMALL = "mxnet://mobilenet0.25"
IMAGES = np.random.default_rng(0).standard_normal((2, 3, 224, 224)).astype(np.float32)


def fetch(uri: str, sha256: str | None = None) -> Path:
    return zoo.fetch(uri, sha256, lambda done, total: None)


def logits(load: Load, path: Path) -> Array:
    return load((path,), ()).predict({"images": IMAGES})[0]


def test_a_fetched_model_is_located_and_runs(load: Load, cache: Path) -> None:
    uri = f"{SMALL}?weights=none"
    assert zoo.locate(uri, None) is None
    told: list[tuple[int, int]] = []
    path = zoo.fetch(uri, None, lambda done, total: told.append((done, total)))
    assert zoo.locate(uri, None) == path
    assert told == [(path.stat().st_size,) * 2]
    assert path.is_relative_to(cache / "zoo" / "mxnet")
    predictor = load((path,), ())
    assert [*predictor.inputs] == [TensorSpec("images", "float32", (None, 3, 224, 224))]
    assert [*predictor.outputs] == [TensorSpec("logits", "float32", (None, 1000))]
    (found,) = predictor.predict({"images": IMAGES})
    assert np.isfinite(found).all()
    assert 0.1 < found.std() < 100
    assert np.abs(found[0] - found[1]).mean() > 0.01 * found.std()  # it depends on the image


def test_equal_seeds_give_equal_files_and_others_do_not(cache: Path) -> None:
    first = digest(fetch(f"{SMALL}?weights=none"))
    kept = zoo.parse(f"{SMALL}?weights=none").path
    kept.unlink()
    assert digest(fetch(f"{SMALL}?seed=0&weights=none")) == first
    assert digest(fetch(f"{SMALL}?weights=none&seed=1")) != first


def test_every_spelling_is_one_file() -> None:
    spellings = (
        "mxnet://MobileNet0.25?weights=NONE",
        f"{SMALL}/?weights=none&seed=00",
        "MXNET://mobilenet0.25?seed=0&weights=none",
    )
    assert {zoo.parse(uri).path for uri in spellings} == {zoo.parse(f"{SMALL}?weights=none").path}


def test_what_is_there_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetch(f"{SMALL}?weights=none")
    monkeypatch.setattr(building, "save", None)
    assert fetch(f"{SMALL}?weights=none") == path


def test_two_that_ask_at_once_build_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def save(wanted: zoo.ZooModel, path: Path) -> None:
        built.append(wanted)
        path.write_bytes(b"PK\x03\x04")

    monkeypatch.setattr(building, "save", save)
    threads = [threading.Thread(target=fetch, args=(f"{SMALL}?weights=none",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_a_build_that_fails_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def save(wanted: zoo.ZooModel, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("power cut")

    monkeypatch.setattr(building, "save", save)
    with pytest.raises(RuntimeError):
        fetch(f"{SMALL}?weights=none")
    assert zoo.locate(f"{SMALL}?weights=none", None) is None
    assert [path.name for path in zoo.parse(f"{SMALL}?weights=none").path.parent.iterdir()] == ["lock"]


def test_a_wrong_checksum_is_told() -> None:
    with pytest.raises(UserError, match="wrong sha256"):
        fetch(f"{SMALL}?weights=none", "0" * 64)


def test_an_unusable_cache(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(UserError, match="cannot be used") as raised:
        fetch(f"{SMALL}?weights=none")
    assert "MLH_CACHE_DIR" in raised.value.remedy


def test_a_misspelt_model() -> None:
    with pytest.raises(UserError, match="no model 'resnet50_v3', and GluonCV is not installed") as raised:
        fetch("mxnet://resnet50_v3?weights=none")
    assert "Did you mean 'resnet50_v" in raised.value.remedy
    assert "pip install gluoncv" in raised.value.remedy


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("mxnet://resnet18_v1?weight=none", "Did you mean 'weights'?"),
        ("mxnet://resnet18_v1?weights=nome", "Did you mean 'none'?"),
        ("mxnet://resnet18_v1?seed=1", "weights=none"),
        ("mxnet://", "mxnet://MODEL"),
    ],
)
def test_a_malformed_uri_is_answered_with_the_right_one(uri: str, remedy: str) -> None:
    with pytest.raises(UserError) as raised:
        zoo.locate(uri, None)
    assert remedy in raised.value.remedy


@pytest.fixture
def web(mx: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """``web(answer)``: what mxnet gets when it asks for a file of trained weights: a path, or an exception."""
    from mxnet.gluon.model_zoo import model_store

    def answer_with(answer: Any) -> None:
        def get(name: str, root: str = "") -> str:
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        monkeypatch.setattr(model_store, "get_model_file", get)

    return answer_with


def test_trained_weights(mx: Any, load: Load, tmp_path: Path, web: Callable[[Any], None]) -> None:
    from mxnet.gluon.model_zoo import vision

    net = vision.mobilenet0_25()
    net.initialize(mx.init.Xavier())
    net(mx.nd.zeros((1, 3, 224, 224)))
    net.save_parameters(str(tmp_path / "downloaded.params"))
    web(tmp_path / "downloaded.params")
    path = fetch(SMALL)
    assert zoo.locate(f"{SMALL}?weights=default", None) == path
    wanted = net(mx.nd.array(IMAGES)).asnumpy()
    np.testing.assert_allclose(logits(load, path), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "error", [ConnectionError("no route to host"), ValueError("Downloaded file has different hash.")]
)
def test_a_failed_download(error: Exception, web: Callable[[Any], None]) -> None:
    web(error)
    with pytest.raises(UserError, match=f"cannot be had.*{error}") as raised:
        fetch(SMALL)
    assert f"{SMALL}?weights=none" in raised.value.remedy
    assert zoo.locate(SMALL, None) is None
