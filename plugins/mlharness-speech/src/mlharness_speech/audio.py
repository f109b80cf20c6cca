"""Sample steps that read sound files and change sampling rates."""

from __future__ import annotations

import io
import math

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Arrays, Context, Option, StepFunction
from mlharness_speech.arrays import first, waveform

RESAMPLE = (Option("rate", "integer", "The sampling rate that comes out, in Hz.", 16000),)
WAVEFORM = (Option("length", "boolean", "Whether the number of samples stands after them.", False),)


def make_decode() -> StepFunction:
    """Sample step: a sound file's bytes to samples.

    Input: uint8 [bytes] of WAV, FLAC, OGG, MP3 or another format that libsndfile reads. Outputs: float32 [samples]
    from -1 to 1, several channels averaged; and the sampling rate in Hz, int64 [1].

    Raises:
        UserError: (from the step) the bytes are no sound, or hold no samples.
    """
    import soundfile

    def decode(arrays: Arrays, context: Context) -> Arrays:
        data = first(arrays)
        if data.dtype != np.uint8 or data.ndim != 1:
            raise UserError(
                f"{data.dtype} {list(data.shape)} are not the bytes of a file, uint8 [bytes]",
                "audio.decode comes first.",
            )
        try:
            samples, rate = soundfile.read(io.BytesIO(data.tobytes()), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise UserError(
                f"{data.size} bytes are no sound that can be decoded: {error}", "Replace the file."
            ) from error
        if not len(samples):
            raise UserError("the sound has no samples", "Replace the file.")
        mono = samples[:, 0].copy() if samples.shape[1] == 1 else samples.mean(axis=1)
        return mono, np.array([rate], np.int64)

    return decode


def make_resample(rate: int = 16000) -> StepFunction:
    """Sample step: change the sampling rate with soxr, at its high quality.

    Inputs: float32 [samples], and their rate in Hz, int64 [1]. Outputs: float32 [ceil(samples * rate / their rate)],
    and the new rate, int64 [1]. Samples that have the rate already stay as they are.

    Raises:
        UserError: the rate is not positive.
        UserError: (from the step) the arrays are not samples and a rate.
    """
    import soxr

    if rate < 1:
        raise UserError(f"rate is {rate}", "Give a sampling rate in Hz, as 16000.")

    def resample(arrays: Arrays, context: Context) -> Arrays:
        samples, given = waveform(arrays)
        if given is None:
            raise UserError("nothing says which sampling rate the samples have", "Put audio.decode before this step.")
        if given == rate:
            return samples, np.array([rate], np.int64)
        changed = soxr.resample(samples, given, rate, quality="HQ")
        # soxr rounds the length; whoever counts frames by the duration expects it rounded up
        wanted = math.ceil(len(samples) * rate / given)
        padded = np.zeros(wanted, np.float32)
        padded[: len(changed)] = changed[:wanted]
        return padded, np.array([rate], np.int64)

    return resample


def make_waveform(length: bool = False) -> StepFunction:
    """Sample step: the samples without their rate, for networks that take them as they are.

    Inputs: float32 [samples], and their rate in Hz. Outputs: the same samples; with ``length`` also how many there
    are, int64 without an axis.

    Raises:
        UserError: (from the step) the arrays are not samples and a rate.
    """

    def bare(arrays: Arrays, context: Context) -> Arrays:
        samples, _ = waveform(arrays)
        return (samples, np.array(len(samples), np.int64)) if length else (samples,)

    return bare
