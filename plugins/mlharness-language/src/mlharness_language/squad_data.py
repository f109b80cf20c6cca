"""The data-set kind ``squad``: SQuAD 1.1, whose samples are a question with a window over its text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Option
from mlharness_language.spans import Feature
from mlharness_language.text import to_bytes
from mlharness_language.wordpiece import (
    CLASS,
    SEPARATOR,
    Limits,
    Pieces,
    Window,
    WordPiece,
    best_windows,
    check_limits,
    split_words,
    windows_over,
)

WHERE = "https://rajpurkar.github.io/SQuAD-explorer, CC BY-SA 4.0"
OPTIONS = (
    ROOT,
    Option("file", "string", "The questions, from root: a file of SQuAD 1.1.", default="dev-v1.1.json"),
    Option(
        "vocab",
        "string",
        "URI or path of BERT's vocab.txt.",
        default="pkg://mlharness_language/files/bert-uncased-vocab.txt",
    ),
    Option("lower_case", "boolean", "Whether text becomes lower case and loses its accents.", default=True),
    Option("max_length", "integer", "Tokens a sample.", default=384),
    Option("max_query", "integer", "The most pieces of a question.", default=64),
    Option("stride", "integer", "Pieces from the start of one window to the next.", default=128),
)


@dataclass(frozen=True)
class Paragraph:
    """A text, its words, and their pieces."""

    text: str
    words: Sequence[str]
    pieces: Pieces


@dataclass(frozen=True)
class Question:
    """A question, its answers, the pieces of it that are used, and its windows over the paragraph."""

    id: str
    text: str
    answers: tuple[str, ...]
    paragraph: Paragraph
    tokens: Sequence[str]
    windows: Sequence[Window]


@dataclass(frozen=True)
class SquadFeatures:
    """An opened data set; see :class:`mlharness.providers.DataSet`. Samples stand in the order of MLPerf's features."""

    features: Sequence[tuple[Question, int]]
    words: WordPiece

    def __len__(self) -> int:
        return len(self.features)

    def check(self) -> None:
        """Everything was read when the data set was opened."""

    def sample(self, index: int) -> Arrays:
        """The question and its whole text, uint8 [bytes] each, and the window's number, int64 [1]."""
        question, number = self.features[index]
        return to_bytes(question.text), to_bytes(question.paragraph.text), np.array([number])

    def label(self, index: int) -> Feature:
        """What the metric ``squad`` needs to turn logits into an answer, and the answers of people."""
        question, number = self.features[index]
        pieces, (start, length) = question.paragraph.pieces, question.windows[number]
        before, end = len(question.tokens) + 2, start + length
        best = best_windows(question.windows, len(pieces.ids)) == number
        return Feature(
            question.id,
            question.answers,
            question.paragraph.words,
            (CLASS, *question.tokens, SEPARATOR, *pieces.tokens[start:end], SEPARATOR),
            _framed(pieces.word_of[start:end], before, -1),
            _framed(best[start:end], before, False),
            self.words.basic,
        )


def _framed(values: Array, before: int, filler: int | bool) -> Array:
    """The values of the text's pieces, with the filler for what stands before and after them."""
    return np.concatenate((np.full(before, filler), values, np.full(1, filler)))


def open_squad(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> SquadFeatures:
    """Read the questions, and cut texts into windows until there are ``count`` samples (None: all).

    Raises:
        UserError: there is no such file, or it does not have SQuAD's layout; limits that leave no room for a text.
    """
    limits = check_limits(
        "data-set kind 'squad'", Limits(options["max_length"], options["max_query"], options["stride"])
    )
    path = data_root(options["root"], "SQuAD 1.1", [options["file"]], WHERE) / options["file"]
    words = WordPiece(locate(options["vocab"]), options["lower_case"])
    features: list[tuple[Question, int]] = []
    for question in read_questions(path, words, limits):
        if count is not None and len(features) >= count:
            break
        features += [(question, number) for number in range(len(question.windows))]
    return SquadFeatures(features[:count], words)


def read_questions(path: Path, words: WordPiece, limits: Limits) -> Iterator[Question]:
    """Every question of a file in its order. Raises UserError naming the place that is not as in SQuAD."""
    for where, entry in read_paragraphs(path):
        try:
            text, asked = str(entry["context"]), list(entry["qas"])
        except (KeyError, TypeError) as error:
            raise _other_layout(path, where, error) from error
        split = split_words(text)
        paragraph = Paragraph(text, split, words.pieces_of_words(split))
        for number, one in enumerate(asked):
            try:
                yield _make_question(one, paragraph, words, limits)
            except (KeyError, TypeError) as error:
                raise _other_layout(path, f"{where}.qas[{number}]", error) from error


def read_paragraphs(path: Path) -> Iterator[tuple[str, Any]]:
    """Every paragraph, and where it stands. Raises UserError for a file that is no JSON, or has another layout."""
    try:
        articles = json.loads(path.read_bytes())["data"]
        for outer, article in enumerate(articles):
            for inner, paragraph in enumerate(article["paragraphs"]):
                yield f"data[{outer}].paragraphs[{inner}]", paragraph
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", f"Get it again: {WHERE}.") from error
    except (KeyError, TypeError) as error:
        raise _other_layout(path, "data", error) from error


def _make_question(one: Any, paragraph: Paragraph, words: WordPiece, limits: Limits) -> Question:
    tokens = words.pieces(one["question"]).tokens[: limits.question]
    answers = tuple(str(answer["text"]) for answer in one["answers"])
    windows = windows_over(len(paragraph.pieces.ids), limits.room(len(tokens)), limits.stride)
    if not windows:
        raise UserError(f"the text of question {one['id']!r} is empty", "Take the question out.")
    return Question(str(one["id"]), one["question"], answers, paragraph, tokens, windows)


def _other_layout(path: Path, where: str, error: Exception) -> UserError:
    told = f"has no {error}" if isinstance(error, KeyError) else f"is not as in SQuAD: {error}"
    return UserError(f"{path.name}: {where} {told}", f"Use a file of SQuAD 1.1: {WHERE}.")
