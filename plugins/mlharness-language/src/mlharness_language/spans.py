"""From the logits of a window to the words of an answer, as MLPerf's accuracy-squad.py finds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mlharness.providers import Array


@dataclass(frozen=True)
class Feature:
    """One sample of SQuAD: a question with a window over its text. It is the label that the metric ``squad`` wants.

    Attributes:
        question: the question's id.
        answers: what people answered.
        words: the text's words.
        tokens: the pieces of the whole input, [CLS] first, without padding.
        word_of: of each piece, the number of its word; -1 for what is not the text's. int64 [tokens].
        best: whether this window is the one that shows most around the piece, bool [tokens].
        basic: the text's words in the form that pieces are cut from.
    """

    question: str
    answers: tuple[str, ...]
    words: Sequence[str]
    tokens: Sequence[str]
    word_of: Array
    best: Array
    basic: Callable[[str], list[str]] = field(repr=False, compare=False)

    def text(self, start: int, end: int) -> str:
        """The answer from one piece to another, both included, in the text's own spelling."""
        pieces = " ".join(self.tokens[start : end + 1]).replace(" ##", "").replace("##", "")
        original = " ".join(self.words[self.word_of[start] : self.word_of[end] + 1])
        return restore(" ".join(pieces.split()), original, self.basic)


class Span(NamedTuple):
    """Pieces from ``start`` to ``end``, both included, and the sum of their logits."""

    start: int
    end: int
    score: float


def best_span(logits: Array, feature: Feature, n_best: int, longest: int) -> Span | None:
    """The likeliest answer of one window.

    Args:
        logits: float32 [length, 2]: of each piece, that the answer starts and that it ends there.
        feature: what the window shows.
        n_best: how many of the likeliest starts and ends are tried.
        longest: the most pieces of an answer.

    Returns:
        None when no pair of them is an answer: both in the text, in order, the start shown best here.
    """
    starts, ends = (np.argsort(-column, kind="stable")[:n_best] for column in logits.T)
    shown = len(feature.word_of)
    within = np.zeros(len(logits), bool)
    within[:shown] = feature.word_of >= 0
    best = np.zeros(len(logits), bool)
    best[:shown] = feature.best
    lengths = ends[None, :] - starts[:, None] + 1
    valid = (within & best)[starts][:, None] & within[ends][None, :] & (lengths >= 1) & (lengths <= longest)
    if not valid.any():
        return None
    sums = np.add.outer(logits[starts, 0].astype(np.float64), logits[ends, 1].astype(np.float64))
    row, column = np.unravel_index(np.where(valid, sums, -np.inf).argmax(), sums.shape)
    return Span(int(starts[row]), int(ends[column]), float(sums[row, column]))


def restore(found: str, original: str, basic: Callable[[str], list[str]]) -> str:
    """The part of ``original`` that ``found`` stands for, though the tokeniser changed its case, accents and blanks.

    Both are the same letters but for blanks when the tokeniser left none out: then letters are counted off. Where it
    did, or ``found`` is not there, all of ``original`` is the answer.
    """
    seen = " ".join(basic(original))
    at = seen.find(found)
    letters = [place for place, letter in enumerate(original) if letter != " "]
    if not found or at < 0 or len(letters) != len(seen.replace(" ", "")):
        return original
    first = len(seen[:at].replace(" ", ""))
    last = first + len(found.replace(" ", "")) - 1
    return original[letters[first] : letters[last] + 1]
