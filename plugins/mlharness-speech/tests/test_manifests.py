"""The manifests: what they say, that they are valid, and that MLPerf's run with stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import CLIP, PACKAGE
from mlharness_speech.alphabets import decode
from mlharness_speech.clips import open_clips

from mlharness.providers import Array, StepFunction
from mlharness.testing.running import InProcessRun

MANIFESTS = PACKAGE / "manifests"
MODELS = ("mlperf-rnnt", "mlperf-whisper", "whisper-tiny-en")
DATASETS = ("librispeech-dev-clean", "librispeech-rnnt", "librispeech-whisper", "speech-clips")
WRITTEN = "bbzbzbbbzbbbzbbbbzbbbbzbbbbzbbzbzb" + " " * 56 + "zzzzzz"
"""What MLPerf's own ``RNNT`` and ``ScriptGreedyDecoder`` (mlcommons/inference b66003e1) write for the clip with the
weights of ``stand_ins.small_rnnt`` under their names."""


def read(kind: str, name: str) -> dict[str, Any]:
    document = yaml.safe_load((MANIFESTS / kind / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(("kind", "name"), [*(("models", m) for m in MODELS), *(("datasets", d) for d in DATASETS)])
def test_a_manifest_says_what_it_is(kind: str, name: str) -> None:
    manifest = read(kind, name)
    assert (manifest["kind"], manifest["name"]) == (kind.removesuffix("s"), name)
    assert all(isinstance(manifest[key], str) and manifest[key] for key in ("version", "description", "license"))
    assert all(reference.startswith(("https://", "http://www.festvox.org")) for reference in manifest["references"])
    assert len(list((MANIFESTS / kind).glob("*.yaml"))) == len(MODELS if kind == "models" else DATASETS)


@pytest.mark.parametrize("name", MODELS)
def test_preprocessing_gives_what_the_model_takes(name: str, make: Callable[..., StepFunction]) -> None:
    """On a real clip, without the model."""
    manifest = read("models", name)
    assert manifest["dataset"] in DATASETS
    arrays: Any = (np.fromfile(CLIP, np.uint8),)
    for step in manifest["preprocess"]:
        ((called, parameters),) = step.items() if isinstance(step, dict) else [(step, {})]
        arrays = make(called, **parameters)(arrays, {})
    assert len(arrays) == len(manifest["inputs"])
    for array, spec in zip(arrays, manifest["inputs"], strict=True):
        wanted = [size for size in spec["shape"][1:] if isinstance(size, int)]
        assert array.dtype == np.dtype(spec["dtype"])
        assert array.ndim == len(spec["shape"]) - 1
        assert list(array.shape) == wanted or not wanted


@pytest.mark.parametrize(("name", "reference"), [("mlperf-rnnt", 7.452), ("mlperf-whisper", 2.0671)])
def test_targets_are_those_of_the_submission_checker(name: str, reference: float) -> None:
    """It asks for an accuracy of (100 - reference) * 0.99 percent."""
    assert read("models", name)["metric"]["target"] == pytest.approx(100 - (100 - reference) * 0.99, abs=1e-9)


def test_the_clips_are_small_and_say_what_is_written() -> None:
    def locate(source: str) -> Path:
        return PACKAGE / source.removeprefix("pkg://mlharness_speech/")

    dataset = open_clips(read("datasets", "speech-clips")["options"], None, locate)
    dataset.check()
    assert len(dataset) == 12
    assert sum(dataset.file(index).stat().st_size for index in range(12)) < 1_000_000
    assert {dataset.file(index) for index in range(12)} == set((PACKAGE / "clips").glob("*.flac"))


@pytest.fixture
def rnnt(tmp_path: Path) -> Path:
    """The manifest ``mlperf-rnnt`` beside a checkpoint of the same names and smaller sizes, on one clip."""
    torch = pytest.importorskip("torch", reason="torch is not installed (mlharness-torch)")
    from corpus import write_list
    from stand_ins import SIZES, small_rnnt

    write_list(tmp_path)
    (tmp_path / "dev-clean-wav/84/121123/84-121123-0000.wav").write_bytes(CLIP.read_bytes())
    torch.save({"epoch": 100, "state_dict": small_rnnt().state_dict()}, tmp_path / "rnnt.pt")
    dataset = {**read("datasets", "librispeech-rnnt"), "name": "stand-in"}
    dataset["options"] = {**dataset["options"], "root": str(tmp_path), "samples": 2}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(dataset), "utf-8")
    model = {**read("models", "mlperf-rnnt"), "name": "stand-in", "dataset": "./data.yaml"}
    model["attributes"]["torch"]["keywords"] = SIZES
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model), "utf-8")
    return tmp_path / "model.yaml"


def test_rnnt_runs_from_file_to_score(rnnt: Path, mlh_in_process: Callable[..., InProcessRun]) -> None:
    run = mlh_in_process(rnnt, scenario="Offline", count=2)
    assert (run.row(0).dtype.name, decode(run.row(0), "rnnt")) == ("int64", WRITTEN)
    score = run.score()
    assert (score.n, score.details["words"]) == (2, 5.0)
    assert score.value >= 80.0


def test_rnnt_writes_what_mlperfs_own_code_writes() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (mlharness-torch)")
    import soundfile
    from stand_ins import small_rnnt

    samples, _ = soundfile.read(CLIP, dtype="float32")
    waveform = torch.from_numpy(np.stack([samples, samples]))
    with torch.inference_mode():
        found: Array = small_rnnt()(waveform, torch.tensor([len(samples), 8000])).numpy()
    assert decode(found[0], "rnnt") == WRITTEN
    assert found.shape == (2, len(WRITTEN))
    assert (found[1] == -1).any()
