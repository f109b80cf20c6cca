"""BERT's word pieces, and windows over a text too long for the model, as the official SQuAD features have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays

UNKNOWN, CLASS, SEPARATOR, PADDING, MASK = SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
LONGEST_WORD = 100
"""Characters; a longer word is unknown, as in transformers' BertTokenizer."""
_WORD = re.compile("[^ \t\r\n\u202f]+")


def split_words(text: str) -> list[str]:
    """The words of a text: what stands between blanks, tabs, line ends and narrow no-break spaces."""
    return _WORD.findall(text)


class Pieces(NamedTuple):
    """Pieces of words: ``ids`` int64 [pieces], their ``tokens``, and of each the number of its word, int64 [pieces]."""

    ids: Array
    tokens: Sequence[str]
    word_of: Array


class WordPiece:
    """BERT's tokeniser over a vocabulary of one token a line. It may be used by several threads at once.

    Raises:
        UserError: the vocabulary cannot be read, or lacks a token that BERT needs.
    """

    def __init__(self, vocab: Path, lower_case: bool = True) -> None:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

        ids, self.lower_case = read_vocabulary(vocab), lower_case
        self.tokenizer: Any = Tokenizer(models.WordPiece(ids, unk_token=UNKNOWN, max_input_chars_per_word=LONGEST_WORD))
        self.tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower_case)
        self.tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self.tokenizer.add_special_tokens([token for token in SPECIAL if token in ids])
        self.class_id, self.separator_id, self.padding_id = (ids[token] for token in (CLASS, SEPARATOR, PADDING))

    def pieces(self, text: str) -> Pieces:
        """The pieces of a whole text; ``word_of`` counts BERT's words, in which punctuation stands alone."""
        return _pieces(self.tokenizer.encode(text, add_special_tokens=False))

    def pieces_of_words(self, words: Sequence[str]) -> Pieces:
        """The pieces of words that are split already; ``word_of`` counts these."""
        return _pieces(self.tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False))

    def basic(self, text: str) -> list[str]:
        """The words before they are cut into pieces: cleaned, lower case without accents, punctuation alone."""
        # Python knows the Greek sigma that ends a word, the library does not; MLPerf's script asks Python.
        clean = self.tokenizer.normalizer.normalize_str(text.lower() if self.lower_case else text)
        return [word for word, _ in self.tokenizer.pre_tokenizer.pre_tokenize_str(clean)]


def _pieces(encoding: Any) -> Pieces:
    return Pieces(np.array(encoding.ids, np.int64), encoding.tokens, np.array(encoding.word_ids, np.int64))


def read_vocabulary(path: Path) -> dict[str, int]:
    """Every token and its number, which is its line's. Raises UserError when it is no vocabulary of BERT's."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a vocabulary: {error}", "Give BERT's vocab.txt.") from error
    ids = {line.rstrip("\r"): number for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines)}
    missing = [token for token in SPECIAL[:4] if token not in ids]
    if missing:
        raise UserError(f"{path} has no {', '.join(missing)}", "Give BERT's vocab.txt: one token a line.")
    return ids


class Window(NamedTuple):
    """A part of a text's pieces: the first, and how many."""

    start: int
    length: int


def windows_over(pieces: int, room: int, stride: int) -> list[Window]:
    """Windows of at most ``room`` pieces, each ``stride`` after the last, until one reaches the end; none for no piece.

    As in BERT's run_squad.py, whose ``doc_stride`` is the step from one window to the next.
    """
    found = [Window(0, min(pieces, room))] if pieces else []
    while found and sum(found[-1]) < pieces:
        start = found[-1].start + min(room, stride)
        found.append(Window(start, min(pieces - start, room)))
    return found


def best_windows(windows: Sequence[Window], pieces: int) -> Array:
    """Of each piece, the window in which it has most context on its poorer side, int64 [pieces]; the first of equals.

    A longer window counts a hundredth a piece more, as in run_squad.py.
    """
    at = np.arange(pieces)
    scores = np.full((len(windows), pieces), -np.inf)
    for row, (start, length) in zip(scores, windows, strict=True):
        inside = slice(start, start + length)
        row[inside] = np.minimum(at[inside] - start, start + length - 1 - at[inside]) + 0.01 * length
    best: Array = scores.argmax(axis=0)
    return best


@dataclass(frozen=True)
class Limits:
    """How a pair is laid out, in pieces: the whole, the most of a question, and the step between windows."""

    length: int = 384
    question: int = 64
    stride: int = 128

    def room(self, question: int) -> int:
        """What is left for the text beside a question of so many pieces, and three special tokens.

        Raises:
            UserError: nothing is left.
        """
        left = self.length - question - 3
        if left < 1:
            raise UserError(
                f"a question of {question} pieces leaves no room for a text in {self.length} tokens",
                "Lower max_query, or raise max_length.",
            )
        return left


def check_limits(what: str, limits: Limits) -> Limits:
    """The limits. Raises UserError for those that no text goes with."""
    least = {"max_length": (limits.length, 4), "max_query": (limits.question, 0), "stride": (limits.stride, 1)}
    for name, (value, smallest) in least.items():
        if value < smallest:
            raise UserError(f"{what}: {name} is {value}", f"Give a whole number of at least {smallest}.")
    return limits


def lay_out(words: WordPiece, question: Array, text: Array, length: int) -> Arrays:
    """[CLS] question [SEP] text [SEP], padded: ids, attention mask and segments, int64 [length] each.

    ``question`` and ``text`` are ids, int64 [pieces], that fit.
    """
    ids = np.full(length, words.padding_id, np.int64)
    mask, segments = np.zeros(length, np.int64), np.zeros(length, np.int64)
    first, last = len(question) + 2, len(question) + len(text) + 3
    ids[:last] = np.concatenate(
        ([words.class_id], question, [words.separator_id], text, [words.separator_id])
    )  # fmt: skip
    mask[:last], segments[first:last] = 1, 1
    return ids, mask, segments


def lay_out_alone(words: WordPiece, text: Array, length: int) -> Arrays:
    """[CLS] text [SEP], cut and padded: ids, attention mask and segments, int64 [length] each."""
    ids, mask = np.full(length, words.padding_id, np.int64), np.zeros(length, np.int64)
    kept = text[: length - 2]
    ids[: len(kept) + 2] = np.concatenate(([words.class_id], kept, [words.separator_id]))
    mask[: len(kept) + 2] = 1
    return ids, mask, np.zeros(length, np.int64)
