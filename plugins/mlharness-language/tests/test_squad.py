"""SQuAD: features in the official order, and figures that are the official script's, digit by digit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import VOCAB
from making import LENGTH, find_answer, logits_of, squad_responses
from mlharness_language.spans import Feature, best_span, restore
from mlharness_language.squad_metric import NO_ANSWER, answer_questions, overlap, plain_words
from mlharness_language.text import to_text
from mlharness_language.wordpiece import split_words

from mlharness.errors import RunError
from mlharness.providers import DataSet, Score, StepFunction

OFFICIAL = {
    # By seed, what accuracy-squad.py with evaluate_v1.1.py of mlcommons/inference (language/bert) printed for the log
    # that scripts/write_squad_log.py makes; its text says how.
    7: {"exact_match": 47.36842105263158, "f1": 69.18546365914787},
    8: {"exact_match": 36.8421052631579, "f1": 65.5137844611529},
    9: {"exact_match": 36.8421052631579, "f1": 63.93483709273183},
}


@pytest.fixture(scope="module")
def squad(open_data: Callable[..., DataSet]) -> Any:
    return open_data("squad")


def test_long_texts_have_several_windows(squad: Any) -> None:
    numbers = [int(squad.sample(index)[2][0]) for index in range(len(squad))]
    assert len(squad) == 38
    assert max(numbers) == 3
    assert numbers[0] == 0
    ids = [squad.label(index).question for index in range(len(squad))]
    assert ids == sorted(ids), "questions stand in the file's order"
    assert len(set(ids)) == 19


def test_count_limits_samples(open_data: Callable[..., DataSet]) -> None:
    few = open_data("squad", count=2)
    assert [int(few.sample(index)[2][0]) for index in range(len(few))] == [0, 1]


def test_words_end_at_what_the_official_script_calls_blank() -> None:
    assert split_words(" a\tb\r\nc\u202fd e\u00a0f ") == ["a", "b", "c", "d", "e\u00a0f"]
    assert split_words("") == []


def test_the_step_makes_what_the_label_describes(squad: Any, make: Callable[..., StepFunction]) -> None:
    step = make("text.wordpiece", vocab=VOCAB)
    for index in range(len(squad)):
        feature: Feature = squad.label(index)
        ids, mask, segments = step(squad.sample(index), {})
        tokens = [squad.words.tokenizer.id_to_token(number) for number in ids[: mask.sum()].tolist()]
        assert tokens == list(feature.tokens)
        assert len(feature.word_of) == len(feature.best) == len(tokens)
        inside = feature.word_of >= 0
        assert (segments[: len(tokens)] - inside).tolist() == [0] * (len(tokens) - 1) + [1], "[SEP] is no word"
        assert ids.shape == (LENGTH,)


def test_every_piece_is_shown_best_in_one_window(squad: Any) -> None:
    shown: dict[str, list[int]] = {}
    for index in range(len(squad)):
        feature = squad.label(index)
        shown.setdefault(feature.question, []).append(int(feature.best.sum()))
        text = to_text(squad.sample(index)[1])
    pieces = len(squad.words.pieces_of_words(split_words(text)).ids)
    assert sum(shown[max(shown)]) == pieces


@pytest.mark.parametrize("seed", sorted(OFFICIAL))
def test_figures_are_the_official_ones(squad: Any, score: Callable[..., Score], seed: int) -> None:
    found = score("squad", squad_responses(squad, seed), squad.label)
    assert {"exact_match": found.details["exact_match"], "f1": found.value} == OFFICIAL[seed]
    assert (found.n, found.unit) == (19, "%")
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]


def test_the_right_answers_score_100(squad: Any, score: Callable[..., Score]) -> None:
    responses = {}
    for index in range(len(squad)):
        span = find_answer(squad.label(index))
        responses[index] = logits_of(LENGTH, *span) if span else np.full((LENGTH, 2), -9, np.float32)
    found = score("squad", responses, squad.label)
    assert (found.value, found.details["exact_match"], found.n) == (100.0, 100.0, 19)


def test_no_span_is_the_official_word_for_none(squad: Any) -> None:
    # The likeliest starts and ends all lie in the padding.
    logits = np.zeros((LENGTH, 2), np.float32)
    logits[-20:] = 9
    feature = squad.label(len(squad) - 1)
    assert best_span(logits, feature, 20, 30) is None
    found = answer_questions({0: logits}, lambda index: feature, 20, 30)
    assert found[feature.question].text == NO_ANSWER


def test_words_are_cut_as_the_official_script_cuts_them(squad: Any) -> None:
    # What BasicTokenizer of google-research/bert gives; Python knows the sigma that ends a word.
    wanted = ["decoration", "'", "s", "ł", ":", "łς", "%", "#", "京", "strasse"]
    assert squad.words.basic("Decoration's Ł:ŁΣ%#京 Stra\u00adsse") == wanted


class TestBestSpan:
    """The likeliest pair that is an answer."""

    words = tuple("abcdef")
    feature = Feature(
        "q", ("a",), words, ("[CLS]", *words, "[SEP]"), np.array([-1, 0, 1, 2, 3, 4, 5, -1]),
        np.array([False, True, True, True, False, True, True, False]), str.split,
    )  # fmt: skip

    def find(self, starts: dict[int, float], ends: dict[int, float], n_best: int = 20, longest: int = 30) -> Any:
        logits = np.zeros((8, 2), np.float32)
        for column, wanted in enumerate((starts, ends)):
            for place, value in wanted.items():
                logits[place, column] = value
        return best_span(logits, self.feature, n_best, longest)

    def test_order_length_and_the_text_count(self) -> None:
        assert self.find({3: 5}, {5: 4})[:2] == (3, 5)
        assert self.find({5: 5}, {3: 4})[:2] == (5, 5), "no answer runs backwards; of equals the first"
        assert self.find({1: 5}, {6: 4}, longest=3)[:2] == (1, 1)
        assert self.find({0: 9}, {7: 9})[0] not in (0, 7), "only the text can answer"

    def test_a_start_counts_where_it_is_shown_best_and_an_end_anywhere(self) -> None:
        assert self.find({4: 9}, {4: 5})[:2] == (1, 4)

    def test_only_the_likeliest_are_tried(self) -> None:
        assert self.find({0: 9, 2: 5}, {3: 5}, n_best=1) is None
        assert self.find({0: 9, 2: 5}, {3: 5}, n_best=2)[:2] == (2, 3)


class TestRestoring:
    """From pieces back to the text's own spelling."""

    def basic(self, text: str) -> list[str]:
        return text.lower().replace(".", " . ").replace("'", " ' ").split()

    def test_case_and_what_hangs_on_a_word(self) -> None:
        assert restore("steve smith", "Steve Smith's", self.basic) == "Steve Smith"
        assert restore("1895", "1895.", self.basic) == "1895"

    @pytest.mark.parametrize(("found", "original"), [("x", "Steve"), ("", "Steve"), ("strasse", "Straße")])
    def test_all_of_it_where_letters_cannot_be_counted_off(self, found: str, original: str) -> None:
        assert restore(found, original, lambda text: [text.lower().replace("ß", "ss")]) == original


def test_articles_punctuation_and_case_mean_nothing() -> None:
    assert plain_words("The  Cat, an O'Neill!") == ["cat", "oneill"]
    assert overlap("the", "a") == 0, "no word is left"
    assert overlap("cat cat dog", "cat dog dog") == pytest.approx(2 / 3)


def test_other_labels_are_no_questions(score: Callable[..., Score]) -> None:
    with pytest.raises(RunError, match="no sample is a question"):
        score("squad", {0: logits_of(LENGTH, 1, 1)}, lambda index: "text")
