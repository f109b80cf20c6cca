"""From outputs to text, beside what the libraries that users know say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import numpy as np
import pytest
from mlharness_speech.vocabulary import tokens_of

from mlharness.errors import UserError
from mlharness.providers import Array, StepFunction

Make = Callable[..., StepFunction]
LETTERS = ["<pad>", "|", "e", "t", "a", "o", "n", "i", "h", "s"]


def told(response: object) -> str:
    assert isinstance(response, np.ndarray)
    return response.tobytes().decode()


def scores(best: list[int], classes: int = len(LETTERS)) -> Array:
    """float32 [frames, classes] whose largest values are at ``best``."""
    found = np.random.default_rng(2).random((len(best), classes), np.float32)
    found[np.arange(len(best)), best] = 2
    return found


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ([3, 3, 8, 0, 2, 2, 1, 1, 0, 3, 0, 3, 2, 4], "the ttea"),
        ([0, 0, 0], ""),
        ([5], "o"),
        ([2, 0, 2, 2, 0, 0, 2], "eee"),
    ],
)
def test_ctc(make: Make, best: list[int], text: str) -> None:
    """``text`` is what ``Wav2Vec2CTCTokenizer`` of transformers 5.24 decodes ``best`` to, with these letters."""
    assert told(make("speech.ctc-decode", labels=LETTERS, blank=0)((scores(best),), {})) == text


def test_ctc_of_many_frames_merges_and_drops(make: Make) -> None:
    best = np.random.default_rng(3).integers(0, len(LETTERS), 500).tolist()
    merged = [number for number, _ in groupby(best) if number]
    expected = "".join(" " if number == 1 else LETTERS[number] for number in merged)
    assert told(make("speech.ctc-decode", labels=LETTERS, blank=0)((scores(best),), {})) == expected


def test_ctc_counts_as_many_frames_as_the_model_says(make: Make) -> None:
    decode = make("speech.ctc-decode", labels=["a", "b", ""])
    found = scores([0, 0, 2, 1, 1], 3)
    assert told(decode((found, np.array(3)), {})) == "a"
    assert told(decode((found, np.array([0])), {})) == ""
    with pytest.raises(UserError, match=r"\[6\] frames shall count"):
        decode((found, np.array([6])), {})


def test_ctc_in_an_alphabet(make: Make) -> None:
    decode = make("speech.ctc-decode", labels=LETTERS, blank=0, alphabet="rnnt")
    assert np.asarray(decode((scores([4, 1, 4]),), {})).tolist() == [1, 0, 1]


@pytest.mark.parametrize(("vocabulary", "count"), [("multilingual", 50257), ("english", 50256)])
def test_vocabularies_have_every_byte_and_no_token_twice(vocabulary: str, count: int) -> None:
    tokens = tokens_of(vocabulary)
    assert len(tokens) == len(set(tokens)) == count
    assert {bytes([value]) for value in range(256)} <= set(tokens)


@pytest.mark.parametrize(
    ("vocabulary", "numbers", "text"),
    [
        ("multilingual", [50364, 440, 1472, 13, 50514, 50257], "The rest."),
        ("multilingual", [2425, 11, 1002, 0, -1, -1], "Hello, world!"),
        ("multilingual", [20038, 973, 11451, 25, 1025, 17450, 11, 220, 27311], "Größe: 5 €, 日本"),
        ("english", [18435, 11, 995, 0, 50256], "Hello, world!"),
        ("english", [464, 21831, 11687, 13, -1, -1], "The fox jumped."),
        ("english", [8642, 9101, 39683, 68, 25, 642, 10432, 11, 10545, 245, 98, 17312, 105, -1], "Größe: 5 €, 日本"),
        ("english", [], ""),
    ],
)
def test_whispers_tokens(make: Make, vocabulary: str, numbers: list[int], text: str) -> None:
    """``text`` is what ``tiktoken`` decodes the numbers to, with the vocabularies of openai-whisper 20250625."""
    assert told(make("speech.whisper-decode", vocabulary=vocabulary)((np.array(numbers, np.int32),), {})) == text


def test_whispers_text_in_mlperfs_alphabet(make: Make) -> None:
    """Lower-case, without punctuation and the space in front: what the reference implementation logs."""
    decode = make("speech.whisper-decode", alphabet="whisper")
    response = np.asarray(decode((np.array([2425, 11, 1002, 0], np.int32),), {}))
    assert response.tolist() == [8, 5, 12, 12, 15, 0, 23, 15, 18, 12, 4]


def test_half_a_character_is_no_failure(make: Make) -> None:
    half = tokens_of("multilingual").index(b"\xc3")
    assert told(make("speech.whisper-decode")((np.array([half]),), {})) == "\N{REPLACEMENT CHARACTER}"


def test_trim(make: Make) -> None:
    trim = make("speech.trim")
    for numbers, kept in (([3, 0, 5, -1, -1], [3, 0, 5]), ([-1, -1], []), ([4], [4]), ([1, -1, 2, -1], [1, -1, 2])):
        found = np.asarray(trim((np.array(numbers, np.int32),), {}))
        assert (found.tolist(), found.dtype.name) == (kept, "int64")
