"""Answers with known mistakes, for the official scripts and for the metric."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mlharness.providers import Array


def noisy_classes(truth: Array, index: int) -> Array:
    """The true classes, a tenth of them replaced by any; uint8 [d, h, w]."""
    rng = np.random.default_rng(20 + index)
    return np.where(rng.random(truth.shape) < 0.1, rng.integers(0, 3, truth.shape), truth).astype(np.uint8)


def noisy_scores(truth: Mapping[str, Array], index: int) -> Array:
    """Scores of four classes of which the true one is larger by 2, in a padded volume; float16 [4, d, h, w]."""
    padded, size, low = (truth[name].tolist() for name in ("padded", "size", "low"))
    scores = np.random.default_rng(30 + index).normal(0, 1, (4, *padded))
    before = [(side - kept) // 2 for side, kept in zip(padded, size, strict=True)]
    inside = tuple(slice(start, start + kept) for start, kept in zip(before, size, strict=True))
    place = tuple(slice(start, start + kept) for start, kept in zip(low, size, strict=True))
    scores[:, inside[0], inside[1], inside[2]] += 2 * np.eye(4)[truth["label"][place]].transpose(3, 0, 1, 2)
    return scores.astype(np.float16)
