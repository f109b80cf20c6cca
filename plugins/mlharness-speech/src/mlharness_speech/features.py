"""The sample step ``audio.log-mel``: from samples to what networks of speech recognition look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness_speech.arrays import waveform
from mlharness_speech.mel import Floats, mel_filters

RATE = 16000
"""The sampling rate in Hz of both kinds."""
HOP = 160
"""Samples from one frame to the next: 10 ms."""
WHISPER_WINDOW = 400
WHISPER_SAMPLES = 30 * RATE
RNNT_TRANSFORM, RNNT_WINDOW = 512, 320
RNNT_STACKED = 3
"""How many frames of RNN-T become one."""
_SHORTEST_RNNT = HOP * RNNT_STACKED + 1
"""One sample more than fits into one stacked frame, which has no deviation."""

LOG_MEL = (
    Option(
        "kind", "string", "Whose features: Whisper's, or MLPerf's RNN-T's.", required=True, choices=("whisper", "rnnt")
    ),
    Option("bins", "integer", "Filters of the mel scale; Whisper large-v3 has 128.", 80),
)


def make_log_mel(kind: str, bins: int = 80) -> StepFunction:
    """Sample step: the logarithm of the energy in bands of the mel scale, every 10 ms, of samples at 16 kHz.

    Inputs: float32 [samples]; and their rate, int64 [1], which is checked when it is there. Output: one float32 array.

    - kind whisper: [bins, 3000]. Padded with silence, or cut, to 30 s; windows of 25 ms; base 10, limited to 8 below
      the largest, then (x + 4) / 4.
    - kind rnnt: [3 * bins, ceil(ceil(samples / 160) / 3)]. Pre-emphasis 0.97; windows of 20 ms; natural logarithm;
      three frames stacked to one; each row normalised to mean 0 and deviation 1. No dithering but 1e-10 on the power.

    Raises:
        UserError: bins is not from 1 to 256.
        UserError: (from the step) the array is no samples, their rate is another, or rnnt gets fewer than 481 samples.
    """
    if not 1 <= bins <= 256:
        raise UserError(f"bins is {bins}", "Give from 1 to 256; Whisper and RNN-T have 80, Whisper large-v3 128.")
    compute = {"whisper": _whisper, "rnnt": _rnnt}[kind](bins)

    def log_mel(arrays: Arrays, context: Context) -> Arrays:
        samples, rate = waveform(arrays)
        if rate not in (None, RATE):
            raise UserError(f"the samples have {rate} Hz, and not {RATE}", "Put audio.resample before this step.")
        return (compute(samples.astype(np.float64)),)

    return log_mel


def _whisper(bins: int) -> Callable[[Floats], Array]:
    """Samples [n] -> float32 [bins, 3000]."""
    filters = mel_filters(bins, WHISPER_WINDOW, RATE)
    window = np.hanning(WHISPER_WINDOW + 1)[:-1]

    def compute(samples: Floats) -> Array:
        clip = np.zeros(WHISPER_SAMPLES)
        clip[: len(samples)] = samples[:WHISPER_SAMPLES]
        energy = filters @ power(clip, window, WHISPER_WINDOW)[:, :-1]  # the last frame is centred on the end
        logarithm = np.log10(np.maximum(energy, 1e-10))
        limited = np.maximum(logarithm, logarithm.max() - 8)
        return np.asarray((limited + 4) / 4, np.float32)

    return compute


def _rnnt(bins: int) -> Callable[[Floats], Array]:
    """Samples [n] -> float32 [3 * bins, frames]."""
    filters = mel_filters(bins, RNNT_TRANSFORM, RATE)
    around = (RNNT_TRANSFORM - RNNT_WINDOW) // 2
    window = np.pad(np.hanning(RNNT_WINDOW), around)

    def compute(samples: Floats) -> Array:
        if len(samples) < _SHORTEST_RNNT:
            raise UserError(
                f"{len(samples)} samples are too few for RNN-T's features", f"Give {_SHORTEST_RNNT} or more."
            )
        emphasised = np.concatenate([samples[:1], samples[1:] - 0.97 * samples[:-1]])
        logarithm = np.log(filters @ (power(emphasised, window, RNNT_TRANSFORM) + 1e-10) + 1e-20)
        frames = -(-len(samples) // HOP)
        stacked = stack(logarithm)[:, : -(-frames // RNNT_STACKED)]
        deviation = stacked.std(axis=1, ddof=1, keepdims=True) + 1e-5
        return np.asarray((stacked - stacked.mean(axis=1, keepdims=True)) / deviation, np.float32)

    return compute


def power(samples: Floats, window: Floats, size: int) -> Floats:
    """The power spectrum [size // 2 + 1, frames] of samples [n], mirrored at both ends so that frame i is centred on
    sample 160 i; there are n // 160 + 1 frames. ``window`` [size] is applied before the Fourier transform."""
    mirrored = np.pad(samples, size // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, size)[::HOP]
    spectrum = np.fft.rfft(frames * window)
    found: Floats = (spectrum.real**2 + spectrum.imag**2).T
    return found


def stack(rows: Floats) -> Floats:
    """Every third frame of [bins, frames] with the two after it below it, silence where there are none:
    [3 * bins, ceil(frames / 3)]."""
    bins, frames = rows.shape
    padded = np.zeros((bins, -(-frames // RNNT_STACKED) * RNNT_STACKED))
    padded[:, :frames] = rows
    found: Floats = padded.reshape(bins, -1, RNNT_STACKED).transpose(2, 0, 1).reshape(RNNT_STACKED * bins, -1)
    return found
