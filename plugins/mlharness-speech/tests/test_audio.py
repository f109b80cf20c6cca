"""Decoding and resampling, beside Python's own reader of WAV, and librosa's numbers."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import soundfile
from conftest import CLIP

from mlharness.errors import UserError
from mlharness.providers import Array, StepFunction

Make = Callable[..., StepFunction]


def written(samples: Array, rate: int, form: str, subtype: str | None = None) -> Array:
    """A sound file's bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def test_wav_is_what_pythons_own_reader_gives(make: Make, clip: tuple[Array, ...]) -> None:
    data = written(clip[0], 16000, "WAV", "PCM_16")
    samples, rate = make("audio.decode")((data,), {})
    with wave.open(io.BytesIO(data.tobytes())) as file:
        expected = np.frombuffer(file.readframes(file.getnframes()), "<i2") / np.float32(32768)
    assert np.array_equal(samples, expected)
    assert (samples.dtype, rate.tolist(), rate.dtype) == (np.float32, [16000], np.int64)


def test_flac_keeps_every_sample(make: Make, clip: tuple[Array, ...]) -> None:
    samples, _ = make("audio.decode")((np.fromfile(CLIP, np.uint8),), {})
    assert np.array_equal(samples, clip[0])


def test_ogg_is_near(make: Make, clip: tuple[Array, ...]) -> None:
    samples, rate = make("audio.decode")((written(clip[0], 16000, "OGG"),), {})
    assert len(samples) == len(clip[0])
    assert np.corrcoef(samples, clip[0])[0, 1] > 0.98
    assert rate.tolist() == [16000]


def test_channels_are_averaged(make: Make) -> None:
    data = written(np.array([[0.5, -0.25], [0.25, 0.25]]), 8000, "WAV", "FLOAT")
    samples, rate = make("audio.decode")((data,), {})
    assert samples.tolist() == [0.125, 0.25]
    assert rate.tolist() == [8000]


def test_the_smallest_clip(make: Make) -> None:
    samples, _ = make("audio.decode")((written(np.array([0.5]), 16000, "WAV", "FLOAT"),), {})
    assert samples.tolist() == [0.5]


def test_a_file_without_samples_is_refused(make: Make) -> None:
    with pytest.raises(UserError, match="no samples"):
        make("audio.decode")((written(np.zeros(0), 16000, "WAV"),), {})


def test_no_sound_is_refused(make: Make) -> None:
    with pytest.raises(UserError, match="9 bytes are no sound that can be decoded"):
        make("audio.decode")((np.frombuffer(b"no sound!", np.uint8),), {})


@pytest.mark.parametrize(("name", "rate"), [("down_8000", 8000), ("up_22050", 22050)])
def test_resampling_is_librosas(
    make: Make, clip: tuple[Array, ...], reference: Mapping[str, Array], name: str, rate: int
) -> None:
    samples, given = make("audio.resample", rate=rate)(clip, {})
    assert samples.dtype == np.float32
    assert given.tolist() == [rate]
    np.testing.assert_allclose(samples, reference[name], atol=1e-6)


def test_resampling_the_smallest_clip_is_librosas(make: Make, reference: Mapping[str, Array]) -> None:
    samples, _ = make("audio.resample")((np.array([0.5], np.float32), np.array([8000])), {})
    np.testing.assert_allclose(samples, reference["up_shortest"], atol=1e-6)


def test_the_right_rate_changes_nothing(make: Make, clip: tuple[Array, ...]) -> None:
    samples, rate = make("audio.resample")(clip, {})
    assert samples is clip[0]
    assert rate.tolist() == [16000]


def test_a_rate_must_be_known(make: Make, clip: tuple[Array, ...]) -> None:
    with pytest.raises(UserError, match="which sampling rate"):
        make("audio.resample")(clip[:1], {})
