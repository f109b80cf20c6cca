"""What steps of sound are given, checked: samples [samples] and their rate in Hz."""

from __future__ import annotations

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays


def first(arrays: Arrays) -> Array:
    """The first array. Raises UserError when there is none."""
    if not arrays:
        raise UserError("there is no array to work on", "Put a step before this one that gives an array.")
    return arrays[0]


def waveform(arrays: Arrays) -> tuple[Array, int | None]:
    """Samples, float32 [samples], and the rate in Hz that stands after them (None: nothing stands there).

    Raises:
        UserError: no such samples, or a rate that is not one positive whole number.
    """
    samples = first(arrays)
    if samples.dtype.name != "float32" or samples.ndim != 1 or not samples.size:
        raise UserError(
            f"{samples.dtype} {list(samples.shape)} are no samples of sound, float32 [samples]",
            "Put audio.decode before this step.",
        )
    if len(arrays) == 1:
        return samples, None
    rate = arrays[1]
    if rate.dtype.kind not in "iu" or rate.size != 1 or int(rate.reshape(-1)[0]) < 1:
        raise UserError(
            f"{rate.dtype} {list(rate.shape)} is no sampling rate, one whole number of Hz",
            "Put audio.decode before this step.",
        )
    return samples, int(rate.reshape(-1)[0])
