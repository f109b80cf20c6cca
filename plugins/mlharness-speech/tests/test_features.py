"""``audio.log-mel`` beside the features of transformers and of MLPerf's RNN-T, and its filters beside librosa's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from mlharness_speech.mel import mel_filters

from mlharness.errors import UserError
from mlharness.providers import Array, StepFunction

Make = Callable[..., StepFunction]


@pytest.mark.parametrize(("window", "bins"), [(400, 80), (400, 128), (512, 80)])
def test_filters_are_librosas(reference: Mapping[str, Array], window: int, bins: int) -> None:
    np.testing.assert_allclose(mel_filters(bins, window, 16000), reference[f"filters_{window}_{bins}"], atol=1e-8)


def test_whispers_features_are_those_of_transformers(
    make: Make, clip: tuple[Array, ...], reference: Mapping[str, Array]
) -> None:
    (found,) = make("audio.log-mel", kind="whisper")(clip, {})
    assert (found.shape, found.dtype) == ((80, 3000), np.float32)
    np.testing.assert_allclose(found[:, :240], reference["whisper_80"], atol=1e-4)
    np.testing.assert_allclose(found[:, ::100], reference["whisper_80_sparse"], atol=1e-4)


def test_whisper_large_has_more_bins(make: Make, clip: tuple[Array, ...], reference: Mapping[str, Array]) -> None:
    (found,) = make("audio.log-mel", kind="whisper", bins=128)(clip, {})
    assert found.shape == (128, 3000)
    np.testing.assert_allclose(found[:, :240:10], reference["whisper_128_sparse"], atol=1e-4)


def test_whispers_features_of_the_smallest_clip(make: Make, reference: Mapping[str, Array]) -> None:
    (found,) = make("audio.log-mel", kind="whisper")((np.array([0.5], np.float32),), {})
    np.testing.assert_allclose(found[:, :4], reference["whisper_80_shortest"], atol=1e-4)


def test_more_than_30_seconds_are_cut(make: Make) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 481000).astype(np.float32)
    (long,) = make("audio.log-mel", kind="whisper")((noise,), {})
    (cut,) = make("audio.log-mel", kind="whisper")((noise[:480000],), {})
    assert np.array_equal(long, cut)


def test_rnnts_features_are_those_of_mlperf(
    make: Make, clip: tuple[Array, ...], reference: Mapping[str, Array]
) -> None:
    """MLPerf computes them in float32, whose rounding shows in the logarithm of what is nearly silent."""
    (found,) = make("audio.log-mel", kind="rnnt")(clip, {})
    assert (found.shape, found.dtype) == ((240, 76), np.float32)
    np.testing.assert_allclose(found, reference["rnnt"], atol=2e-3)
    assert np.abs(found - reference["rnnt"]).mean() < 1e-5


def test_rnnts_features_of_the_smallest_clip(make: Make, reference: Mapping[str, Array]) -> None:
    samples = np.sin(np.arange(481, dtype=np.float32) / 5)
    (found,) = make("audio.log-mel", kind="rnnt")((samples,), {})
    np.testing.assert_allclose(found, reference["rnnt_shortest"], atol=2e-3)
    with pytest.raises(UserError, match="480 samples are too few"):
        make("audio.log-mel", kind="rnnt")((samples[:480],), {})


def test_another_rate_is_refused(make: Make, clip: tuple[Array, ...]) -> None:
    with pytest.raises(UserError, match="8000 Hz, and not 16000") as caught:
        make("audio.log-mel", kind="whisper")((clip[0], np.array([8000])), {})
    assert "audio.resample" in caught.value.remedy
