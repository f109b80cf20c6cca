"""Steps, data sets and the metric hold to the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conftest import CLIP
from corpus import write_list, write_split
from mlharness_speech.alphabets import encode

from mlharness.providers import Array, Arrays
from mlharness.testing import DataSetConformance, MetricConformance, StepConformance


def noise(count: int = 1600) -> Array:
    """float32 samples, a tenth of a second."""
    return np.random.default_rng(6).normal(0, 0.1, count).astype(np.float32)


class TestDecode(StepConformance):
    step = "audio.decode"
    gives = (("float32", (None,)), ("int64", (1,)))

    def make_arrays(self) -> Arrays:
        return (np.fromfile(CLIP, np.uint8),)

    def other_arrays(self) -> Arrays:
        return (np.fromfile(CLIP.with_name("awb-2.flac"), np.uint8),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros(100, np.uint8),), (noise(),), (np.fromfile(CLIP, np.uint8)[:20],)]


class OnSamples(StepConformance):
    """A step on samples and their rate."""

    def make_arrays(self) -> Arrays:
        return noise(), np.array([8000])

    def other_arrays(self) -> Arrays:
        return noise()[::-1].copy(), np.array([8000])

    def bad_arrays(self) -> Sequence[Arrays]:
        rate = np.array([8000])
        return [(noise().reshape(2, -1), rate), (noise().astype(np.float64), rate), (noise(), np.array([0])),
                (noise()[:0], rate), (noise(), np.array([0.5]))]  # fmt: skip


class TestResample(OnSamples):
    step = "audio.resample"
    gives = (("float32", (3200,)), ("int64", (1,)))
    bad_parameters = ({"rate": 0}, {"rate": "fast"})


class TestWaveform(OnSamples):
    step = "audio.waveform"
    parameters: Mapping[str, Any] = {"length": True}
    gives = (("float32", (1600,)), ("int64", ()))
    bad_parameters = ({"length": 3},)


class TestLogMelOfRnnt(OnSamples):
    step = "audio.log-mel"
    parameters: Mapping[str, Any] = {"kind": "rnnt"}
    gives = (("float32", (240, 4)),)
    bad_parameters = ({}, {"kind": "mine"}, {"kind": "rnnt", "bins": 0}, {"kind": "whisper", "bins": 1000})

    def make_arrays(self) -> Arrays:
        return noise(), np.array([16000])

    def other_arrays(self) -> Arrays:
        return noise()[::-1].copy(), np.array([16000])


class TestCtcDecode(StepConformance):
    step = "speech.ctc-decode"
    parameters: Mapping[str, Any] = {"labels": ["a", "b", "|", ""]}
    gives = (("uint8", (None,)),)
    bad_parameters = ({}, {"labels": []}, {"labels": [1, 2]}, {"labels": ["a"], "blank": 1}, {"labels": ["a"], "x": 1})

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(3).random((20, 4), np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros((20, 5), np.float32),), (np.zeros(4, np.float32),), (np.zeros((20, 4), np.int64),)]


class OnTokens(StepConformance):
    """A step on numbers of tokens."""

    def make_arrays(self) -> Arrays:
        return (np.array([2425, 11, 1002, 0, -1, -1], np.int32),)

    def other_arrays(self) -> Arrays:
        return (np.array([440, 1472, 13, -1, -1, -1], np.int32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros((2, 3), np.int32),), (np.zeros(3, np.float32),)]


class TestWhisperDecode(OnTokens):
    step = "speech.whisper-decode"
    gives = (("uint8", (None,)),)
    bad_parameters = ({"vocabulary": "german"}, {"alphabet": "greek"})


class TestTrim(OnTokens):
    step = "speech.trim"
    gives = (("int64", (4,)),)
    bad_parameters = ({"padding": "none"},)


class TestClips(DataSetConformance):
    dataset = "speech"
    count = 2

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"items": [{"file": str(CLIP.with_name(name)), "text": name} for name in ("awb-1.flac", "slt-1.flac")]}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "empty.flac").write_bytes(b"")
        (folder / "text.flac").write_bytes(b"no sound")
        files = [{"items": [{"file": f"{name}.flac", "text": "a"}]} for name in ("empty", "text", "missing")]
        return [{}, {"items": []}, {"items": [{"file": str(CLIP)}]}, *files]


class TestLibriSpeech(DataSetConformance):
    dataset = "librispeech"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        write_split(folder / "LibriSpeech" / "dev-clean")
        return {"root": str(folder), "split": "dev-clean", "samples": 3}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        good = self.make_options(folder)
        return [{}, {**good, "split": "dev-cleen"}, {**good, "samples": 4}, {**good, "manifest": "a.json"},
                {**good, "split": "test-clean"}, {**good, "max_duration": 0.1, "samples": None}]  # fmt: skip


class TestLibriSpeechOfMlperf(DataSetConformance):
    dataset = "librispeech"
    count = 2

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        write_list(folder)
        return {"root": str(folder), "manifest": "dev-clean-wav.json", "max_duration": 15.0, "samples": 2}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        good = self.make_options(folder)
        (folder / "bad.json").write_text("{}")
        return [{**good, "manifest": "none.json"}, {**good, "manifest": "bad.json"}, {**good, "max_duration": 16.0}]


class TestWordErrorRate(MetricConformance):
    metric = "wer"
    expected = 25.0

    def make_responses(self) -> Mapping[int, Array]:
        return {index: encode("one two", None) if index % 2 else encode("one too", None) for index in range(36)}

    def label(self, index: int) -> str:
        return "one two"
