"""The metric ``similarity``: whether embeddings of sentences are as close as people find the sentences alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlharness.errors import RunError
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness_language.resampling import interval_of
from mlharness_language.sentence_pairs import Paired

OPTIONS = (Option("width", "integer", "Numbers of an embedding; left out, any."),)


def score_similarity(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """Spearman's rank correlation of cosine similarities with the pairs' grades, x 100, with a bootstrap over pairs.

    Details: ``pearson``, the linear correlation x 100; ``nearest_neighbour``, of the pairs of the highest grade the
    percentage whose first sentence has its partner as nearest of all second sentences. ``n`` counts complete pairs.
    """
    pairs = collect_pairs(responses, label)
    if len(pairs) < 2:
        raise RunError("similarity: there are not two pairs of sentences", "Use a data set of the kind sentence-pairs.")
    grades = np.array([grade for grade, _, _ in pairs])
    first, second = unit_rows([one for _, one, _ in pairs]), unit_rows([other for _, _, other in pairs])
    cosines = (first * second).sum(axis=1)
    grade_ranks, cosine_ranks = ranks(grades), ranks(cosines)
    interval = interval_of(len(pairs), lambda drawn: 100.0 * correlation(ranks(grades[drawn]), ranks(cosines[drawn])))
    value = 100.0 * correlation(grade_ranks, cosine_ranks)
    details = {
        "pearson": 100.0 * correlation(grades, cosines),
        "nearest_neighbour": 100.0 * neighbours_found(first, second, grades == grades.max()),
    }
    return Score(value, "", len(pairs), interval, details)


def similarity_response(options: Mapping[str, Any]) -> ResponseSpec:
    """One embedding a sentence."""
    return ResponseSpec("float32", (options["width"],))


def collect_pairs(responses: Mapping[int, Array], label: Callable[[int], Any]) -> list[tuple[float, Array, Array]]:
    """Grade and both embeddings of every pair that is complete, by the pairs' numbers."""
    found: dict[int, tuple[float, list[Array]]] = {}
    for index in sorted(responses):
        paired = label(index)
        if isinstance(paired, Paired):
            found.setdefault(paired.pair, (paired.grade, []))[1].append(responses[index])
    return [(grade, *both) for _, (grade, both) in sorted(found.items()) if len(both) == 2]  # type: ignore[misc]  # two


def unit_rows(rows: list[Array]) -> Array:
    """Rows of length 1, float64 [n, width]; a row of 0 stays."""
    stacked = np.stack(rows).astype(np.float64)
    lengths: Array = np.linalg.norm(stacked, axis=1, keepdims=True)
    return stacked / np.where(lengths > 0, lengths, 1)


def ranks(values: Array) -> Array:
    """The rank of each value from 1, float64 [n]; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: Array = counts.cumsum() - (counts - 1) / 2
    return means[inverse]


def correlation(one: Array, other: Array) -> float:
    """Pearson's correlation, -1 to 1; 0 where all values of one side are the same."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum() / scale) if scale else 0.0


def neighbours_found(first: Array, second: Array, chosen: Array) -> float:
    """The share of the chosen pairs whose first sentence is closer to its partner than to any other second sentence.

    Args:
        first, second: the pairs' embeddings, unit rows, float64 [pairs, width].
        chosen: bool [pairs].
    """
    nearest = (first[chosen] @ second.T).argmax(axis=1)
    return float((nearest == np.flatnonzero(chosen)).mean())
