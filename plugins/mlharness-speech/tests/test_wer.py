"""The metric ``wer`` beside MLPerf's accuracy scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_speech.alphabets import ALPHABETS, decode, encode
from mlharness_speech.compounds import join_compounds
from mlharness_speech.wer import OPTIONS, score_wer

from mlharness.errors import RunError, UserError
from mlharness.options import resolve_options
from mlharness.providers import Score

PAIRS = json.loads((Path(__file__).parent / "data" / "transcripts.json").read_text("utf-8"))
"""What was said and what a model heard, with words too many, too few, wrong, joined and apart; one hears nothing."""
WHISPER = {"alphabet": "whisper", "normalizer": "whisper-english", "join_compounds": True}


def score(options: Mapping[str, Any], pairs: list[dict[str, str]] = PAIRS) -> Score:
    resolved = resolve_options("metric 'wer'", OPTIONS, options)
    responses = {number: encode(pair["heard"], resolved["alphabet"]) for number, pair in enumerate(pairs)}
    return score_wer(responses, lambda index: pairs[index]["said"], resolved)


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ({"alphabet": "rnnt"}, "Word Error Rate: 46.601941747572816%, accuracy=53.398058252427184%"),
        (WHISPER, "Word Error Rate: 30.392156862745097%, accuracy=69.6078431372549%"),
    ],
)
def test_the_figure_is_that_of_the_official_script(options: Mapping[str, Any], printed: str) -> None:
    """``printed`` is what ``accuracy_eval.py`` of mlcommons/inference (b66003e1; retired_benchmarks/speech_recognition/
    rnnt, and speech2text with the normalizers of openai-whisper 20250625) printed for an ``mlperf_log_accuracy.json``
    that held these texts as int64 numbers of its characters, and a manifest with them as transcripts."""
    found = score(options)
    assert f"Word Error Rate: {found.value}%, accuracy={found.details['accuracy']}%" == printed


def test_errors_are_counted_by_kind() -> None:
    found = score(
        {}, [{"said": "one two three four", "heard": "One too three four five"}, {"said": "six", "heard": ""}]
    )
    assert found.details == {"accuracy": 40.0, "substitutions": 1, "deletions": 1, "insertions": 1, "words": 5}
    assert (found.value, found.unit, found.n) == (60.0, "%", 2)


def test_the_interval_is_around_the_figure_and_needs_two() -> None:
    found = score({})
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert score({}, PAIRS[1:2]).interval is None


def test_more_errors_than_words_are_more_than_100_percent() -> None:
    assert score({}, [{"said": "no", "heard": "oh no no no"}]).value == 300.0


def test_capitals_count_only_when_nothing_is_done_to_them() -> None:
    pairs = [{"said": "HELLO THERE", "heard": "hello there"}]
    assert score({}, pairs).value == 0.0
    assert score({"normalizer": "none"}, pairs).value == 100.0


def test_whispers_rules_spell_and_count() -> None:
    pairs = [{"said": "Mister Smith paid twenty-one dollars for colours", "heard": "Mr. Smith paid $21 for colors."}]
    assert score({"normalizer": "whisper-english"}, pairs).value == 0.0


def test_without_words_there_is_no_figure() -> None:
    with pytest.raises(RunError, match="no utterance"):
        score({}, [{"said": " ", "heard": "something"}])


@pytest.mark.parametrize(
    ("said", "heard", "joined"),
    [
        ("a b c", "a b c", ("a b c", "a b c")),
        ("sand paper", "sandpaper", ("sandpaper", "sandpaper")),
        ("sandpaper", "sand paper", ("sandpaper", "sandpaper")),
        ("never the less so", "nevertheless so", ("nevertheless so", "nevertheless so")),
        ("a b c d", "abcd", ("a b c d", "abcd")),  # four are too many
        ("x sand paper", "sandpaper", ("x sand paper", "sandpaper")),  # out of step
        ("", "a b", ("", "a b")),
    ],
)
def test_compounds(said: str, heard: str, joined: tuple[str, str]) -> None:
    found = join_compounds(said.split(), heard.split())
    assert tuple(" ".join(words) for words in found) == joined


@pytest.mark.parametrize("alphabet", [None, *ALPHABETS])
def test_what_an_alphabet_writes_it_reads(alphabet: str | None) -> None:
    assert decode(encode("it's five to ten", alphabet), alphabet) == "it's five to ten"
    assert decode(encode("", alphabet), alphabet) == ""


def test_an_alphabet_leaves_out_what_it_has_not() -> None:
    assert decode(encode("Yes, 5!", "rnnt"), "rnnt") == "yes "
    assert decode(encode("Yes, 5!", "whisper"), "whisper") == "yes 5"
    assert encode("a", "rnnt").dtype == np.int64


def test_a_number_beyond_the_alphabet_is_refused() -> None:
    with pytest.raises(UserError, match="'rnnt' has 0 to 27"):
        decode(np.array([3, 28]), "rnnt")
