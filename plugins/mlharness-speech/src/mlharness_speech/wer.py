"""The metric ``wer``: the word error rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlharness.errors import RunError
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness.stats import bootstrap_interval
from mlharness_speech.alphabets import ALPHABET, decode, keep
from mlharness_speech.compounds import join_compounds

OPTIONS = (
    Option(
        "normalizer",
        "string",
        "What is done to both texts first: nothing, lower case, or Whisper's rules for English.",
        "lower",
        choices=("none", "lower", "whisper-english"),
    ),
    Option("join_compounds", "boolean", "Whether words that are written as one or apart are no errors.", False),
    ALPHABET,
)
_KINDS = ("substitutions", "deletions", "insertions", "words")


def score_wer(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """Word error rate: substitutions, deletions and insertions over the words that were said; percent, lower is better.

    Counted over the words of all utterances, as MLPerf's scripts do; n is the number of utterances. The interval is a
    bootstrap over utterances. Utterances without a label are left out.
    """
    alphabet, normalize = options["alphabet"], normalizer(options["normalizer"])
    rows = [
        count_errors(
            normalize(keep(said, alphabet)), normalize(decode(responses[index], alphabet)), options["join_compounds"]
        )
        for index in sorted(responses)
        if (said := label(index)) is not None
    ]
    counts = np.array(rows, np.int64).reshape(-1, len(_KINDS)).T
    substitutions, deletions, insertions, words = (int(count) for count in counts.sum(axis=1))
    if not words:
        raise RunError("wer: no utterance of the data set has words that were said")
    rate = (substitutions + deletions + insertions) / words
    details = dict(zip(_KINDS, (substitutions, deletions, insertions, words), strict=True))
    return Score(rate * 100, "%", len(rows), interval(counts), {"accuracy": (1 - rate) * 100, **details})


def interval(counts: Array) -> tuple[float, float] | None:
    """The interval of the rate in percent, from int64 [4, utterances]: three kinds of errors, and words."""
    table = np.stack([counts[:3].sum(axis=0), counts[3]])

    def rates(drawn: Array) -> Array:
        errors, words = table[:, drawn].sum(axis=-1)
        rates: Array = errors / np.maximum(words, 1) * 100  # 0 words: utterances were drawn in which nothing is said
        return rates

    return bootstrap_interval(table.shape[1], rates, at_once=True)


def count_errors(said: str, heard: str, join: bool) -> tuple[int, int, int, int]:
    """Substitutions, deletions, insertions, and words that were said, of one utterance."""
    import jiwer

    reference, hypothesis = said.split(), heard.split()
    words = len(reference)
    if join:
        reference, hypothesis = join_compounds(reference, hypothesis)
    found = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return found.substitutions, found.deletions, found.insertions, words


def normalizer(name: str) -> Callable[[str], str]:
    """What is done to both texts before their words are compared."""
    if name == "none":
        return str
    if name == "lower":
        return str.lower
    from whisper_normalizer.english import EnglishTextNormalizer

    normalize: Callable[[str], str] = EnglishTextNormalizer()
    return normalize


def wer_response(options: Mapping[str, Any]) -> ResponseSpec:
    """Text as UTF-8, or as numbers of an alphabet's characters; of any length."""
    return ResponseSpec("uint8" if options["alphabet"] is None else "int64", (None,))
