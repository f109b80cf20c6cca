"""Sample steps from what networks of speech recognition put out to text. They stand last under ``postprocess``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness_speech.alphabets import ALPHABET, encode
from mlharness_speech.arrays import first
from mlharness_speech.vocabulary import VOCABULARIES, text_of, tokens_of

CTC_DECODE = (
    Option("labels", "array", "The text of each class, in order; that of the blank is not looked at.", required=True),
    Option("blank", "integer", "The class of the blank; -1 is the last.", -1),
    Option("space", "string", "The label that stands for a space.", "|"),
    ALPHABET,
)
WHISPER_DECODE = (
    Option(
        "vocabulary",
        "string",
        "That of the models tiny to large-v3, or of those whose names end in .en.",
        "multilingual",
        choices=VOCABULARIES,
    ),
    ALPHABET,
)
TRIM = (Option("padding", "integer", "The number that fills a row up.", -1),)


def make_ctc_decode(
    labels: Sequence[str], blank: int = -1, space: str = "|", alphabet: str | None = None
) -> StepFunction:
    """Sample step: text by the best path of connectionist temporal classification.

    The likeliest class of each frame is taken, equal neighbours are merged, and blanks are dropped. Inputs: scores of
    any float dtype [frames, classes], which need not be normalised; and how many of the frames count, one integer,
    where the model says so. Output: uint8 [bytes] of UTF-8, or int64 [characters] with ``alphabet``.

    Raises:
        UserError: labels that are no texts, or a blank that is none of them.
        UserError: (from the step) the scores have another number of classes, or fewer frames than are to count.
    """
    texts = [" " if label == space else label for label in labels]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise UserError(f"step 'speech.ctc-decode': labels is {list(labels)!r}", "List the text of each class.")
    if not -len(texts) <= blank < len(texts):
        raise UserError(f"step 'speech.ctc-decode': blank is {blank}", f"Give from {-len(texts)} to {len(texts) - 1}.")
    dropped = blank % len(texts)

    def decode(arrays: Arrays, context: Context) -> Array:
        scores = first(arrays)
        if scores.dtype.kind != "f" or scores.ndim != 2 or scores.shape[1] != len(texts):
            raise UserError(
                f"{scores.dtype} {list(scores.shape)} are no scores, float [frames, {len(texts)}]",
                "Give one label for each class, the blank included.",
            )
        best = scores[: _frames(arrays)].argmax(axis=1)
        kept = best[(np.diff(best, prepend=-1) != 0) & (best != dropped)]
        return encode("".join(texts[number] for number in kept), alphabet)

    return decode


def make_whisper_decode(vocabulary: str = "multilingual", alphabet: str | None = None) -> StepFunction:
    """Sample step: the text of the tokens that Whisper writes.

    Input: any integer [tokens]; negative numbers are padding, and signs (languages, times, the end) are left out.
    Output: uint8 [bytes] of UTF-8, or int64 [characters] with ``alphabet``; no spaces at both ends.

    Raises:
        UserError: (from the step) the array is no tokens.
    """
    tokens_of(vocabulary)  # read now, and not while samples are timed

    def decode(arrays: Arrays, context: Context) -> Array:
        return encode(text_of(_numbers(arrays).tolist(), vocabulary), alphabet)

    return decode


def make_trim(padding: int = -1) -> StepFunction:
    """Sample step: numbers without the padding after them. Input: any integer [length]; output: int64 [numbers].

    Raises:
        UserError: (from the step) the array is no numbers.
    """

    def trim(arrays: Arrays, context: Context) -> Array:
        numbers = _numbers(arrays)
        there = np.flatnonzero(numbers != padding)
        return numbers[: there[-1] + 1 if there.size else 0].astype(np.int64)

    return trim


def _numbers(arrays: Arrays) -> Array:
    numbers = first(arrays)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise UserError(
            f"{numbers.dtype} {list(numbers.shape)} are no numbers of tokens, integers [tokens]",
            "Check the model's first output.",
        )
    return numbers


def _frames(arrays: Arrays) -> int:
    """How many frames count: the second array, or all."""
    there = len(arrays[0])
    if len(arrays) == 1:
        return there
    if arrays[1].size != 1 or not 0 <= int(arrays[1].reshape(-1)[0]) <= there:
        raise UserError(f"{arrays[1].tolist()} frames shall count, and there are {there}", "Check the model's outputs.")
    return int(arrays[1].reshape(-1)[0])
