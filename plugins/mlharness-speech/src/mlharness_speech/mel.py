"""Filters of the mel scale, as Slaney's Auditory Toolbox has them and librosa by default."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
_LINEAR_HZ = 200 / 3
"""Hz for one mel below the knee."""
_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
_STEP = np.log(6.4) / 27
"""Above the knee, one mel more is a frequency higher by this logarithm."""


def mel_of(hertz: float) -> float:
    """The mel of a frequency: linear up to 1 kHz, logarithmic above."""
    return hertz / _LINEAR_HZ if hertz < _KNEE_HZ else _KNEE_MEL + float(np.log(hertz / _KNEE_HZ)) / _STEP


def hertz_of(mels: Floats) -> Floats:
    """The frequencies of mels [n]: the inverse of :func:`mel_of`."""
    return np.where(mels < _KNEE_MEL, mels * _LINEAR_HZ, _KNEE_HZ * np.exp(_STEP * (mels - _KNEE_MEL)))


def mel_filters(bins: int, window: int, rate: int) -> Floats:
    """Triangular filters, float64 [bins, window // 2 + 1], from 0 Hz to half the rate, each of area one.

    Args:
        bins: how many filters there are.
        window: the length of the Fourier transform that they are applied to, in samples.
        rate: the sampling rate in Hz.

    Source: M. Slaney, Auditory Toolbox, Technical Report 1998-010, Interval Research Corporation (1998).
    """
    edges = hertz_of(np.linspace(0.0, mel_of(rate / 2), bins + 2))
    widths = np.diff(edges)[:, None]
    distance = edges[:, None] - np.fft.rfftfreq(window, 1 / rate)
    rising, falling = -distance[:-2] / widths[:-1], distance[2:] / widths[1:]
    peak = 2 / (edges[2:] - edges[:-2])
    filters: Floats = np.maximum(0.0, np.minimum(rising, falling)) * peak[:, None]
    return filters
