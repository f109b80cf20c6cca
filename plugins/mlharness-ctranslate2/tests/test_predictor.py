"""Options, devices and files of the framework, with a small Whisper model of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mlharness_ctranslate2 import plugin
from mlharness_ctranslate2.folder import folder_of
from mlharness_ctranslate2.predictor import WhisperPredictor, prompt_of
from small import save_small

from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Array, Model

Load = Callable[..., WhisperPredictor]
FEATURES = np.random.default_rng(1).random((3, 80, 3000)).astype(np.float32)


def options(**given: Any) -> dict[str, Any]:
    return resolve_options("framework 'ctranslate2'", plugin.OPTIONS, {"intra_threads": 1, **given})


@pytest.fixture
def load(tmp_path: Path) -> Load:
    files = tuple(save_small(tmp_path))

    def load_it(device: str = "cpu", **given: Any) -> WhisperPredictor:
        predictor = plugin.load(Model("small", files), device, options(**given))
        assert isinstance(predictor, WhisperPredictor)
        return predictor

    return load_it


def rows(predictor: WhisperPredictor, features: Array = FEATURES) -> list[list[int]]:
    (tokens,) = predictor.predict({"features": features})
    predictor.close()
    return [row[row >= 0].tolist() for row in tokens]


def test_inputs_and_outputs(load: Load) -> None:
    predictor = load(max_length=12)
    assert [(spec.name, spec.dtype, spec.shape) for spec in predictor.inputs] == [
        ("features", "float32", (None, 80, 3000))
    ]
    assert [(spec.name, spec.dtype, spec.shape) for spec in predictor.outputs] == [("tokens", "int32", (None, 12))]
    (tokens,) = predictor.predict({"features": FEATURES})
    assert (tokens.shape, tokens.dtype.name) == ((3, 12), "int32")
    ends = (tokens >= 0).sum(axis=1)
    assert all((row[end:] == -1).all() for row, end in zip(tokens, ends, strict=True))
    predictor.close()


def test_max_length_cuts(load: Load) -> None:
    assert max(map(len, rows(load(max_length=4)))) <= 4


def test_a_prompt_of_the_users_own_changes_what_is_written(load: Load) -> None:
    asked = rows(load(max_length=16, prompt=["<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>"]))
    assert asked != rows(load(max_length=16))


@pytest.mark.parametrize("given", [{"beam_size": 3}, {"compute_type": "int8"}])
def test_other_ways_to_compute(load: Load, given: dict[str, Any]) -> None:
    assert len(rows(load(max_length=16, **given))) == 3


@pytest.mark.parametrize(
    ("multilingual", "prompt"),
    [
        (True, ["<|startoftranscript|>", "<|de|>", "<|translate|>", "<|notimestamps|>"]),
        (False, ["<|startoftranscript|>", "<|notimestamps|>"]),
    ],
)
def test_prompts(multilingual: bool, prompt: list[str]) -> None:
    whisper: Any = SimpleNamespace(is_multilingual=multilingual)
    assert prompt_of(whisper, options(language="de", task="translate")) == prompt


@pytest.mark.parametrize(
    ("given", "said"),
    [({"beam_size": 0}, "beam_size is 0"), ({"max_length": 0}, "max_length is 0"), ({"max_length": 449}, "is 449")],
)
def test_numbers_that_cannot_be(load: Load, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load(**given)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x"])
def test_devices_that_are_not_here(load: Load, device: str) -> None:
    with pytest.raises(UserError, match=f"no device '{device}'") as caught:
        load(device)
    assert "cpu" in caught.value.remedy


def test_features_of_another_form_are_refused(load: Load) -> None:
    predictor = load()
    with pytest.raises(ValueError, match=r"float64 \[1, 80, 3000\]"):
        predictor.predict({"features": FEATURES[:1].astype(np.float64)})
    with pytest.raises(ValueError, match=r"float32 \[1, 80, 2000\]"):
        predictor.predict({"features": FEATURES[:1, :, :2000]})
    predictor.close()


def test_files_with_other_names_are_known_by_their_bytes(load: Load, tmp_path: Path) -> None:
    expected = rows(load())
    cached = []
    for number, path in enumerate(save_small(tmp_path)):
        cached.append(path.rename(tmp_path / f"{number:064x}"))
    with folder_of(Model("small", tuple(reversed(cached)))) as folder:
        assert {path.name for path in folder.iterdir()} == {"model.bin", "config.json", "vocabulary.json"}
    predictor = plugin.load(Model("small", tuple(cached)), "cpu", options())
    assert isinstance(predictor, WhisperPredictor)
    assert rows(predictor) == expected


def test_a_folder_is_taken_as_it_is(load: Load, tmp_path: Path) -> None:
    with folder_of(Model("small", (tmp_path,))) as folder:
        assert folder == tmp_path


def test_two_files_of_one_kind_are_refused(load: Load, tmp_path: Path) -> None:
    second = tmp_path / "second.json"
    second.write_bytes((tmp_path / "config.json").read_bytes())
    with pytest.raises(UserError, match=r"second\.json and config\.json both seem to be config\.json"):
        plugin.load(Model("small", (tmp_path / "model.bin", tmp_path / "config.json", second)), "cpu", options())


def test_a_damaged_model_says_what_to_look_at(load: Load, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="CTranslate2 cannot load small") as caught:
        load()
    assert "converted for CTranslate2" in caught.value.remedy
