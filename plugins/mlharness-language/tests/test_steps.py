"""The text steps against transformers and tokenizers used directly, and on the smallest texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import DATA, VOCAB
from mlharness_language.text import to_bytes, to_text
from mlharness_language.wordpiece import best_windows, windows_over

from mlharness.errors import UserError
from mlharness.providers import Arrays, StepFunction

Make = Callable[..., StepFunction]
TOKENIZER = "tokenizer.json"
REAL = [
    "Zoë Müller-Łukasik opened the bakery “Zum Krähenfuß” in the Rue de l'Église in 1987.",
    "The engine printed tables for 東京 and 北京; it weighed 2.3 tonnes (€48.50 a kilo).\u00a0Really?",
    "unaffable incomprehensibilities " + "x" * 101 + " [SEP] ##s \u202f naïve\tcafé\r\n!",
]
SMALLEST = ["", "a", " ", "."]


def run(step: StepFunction, *arrays: npt.NDArray[Any]) -> Arrays:
    result = step(arrays, {})
    return result if isinstance(result, tuple) else (result,)


@pytest.fixture(scope="module")
def theirs(vocab: Path) -> Any:
    """transformers' tokeniser in Python, which MLPerf's scripts use."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (extra `origin`)")
    return transformers.BertTokenizer(str(vocab))


class TestWordpiece:
    """``text.wordpiece``."""

    @pytest.mark.origin
    @pytest.mark.parametrize("text", REAL + SMALLEST, ids=repr)
    def test_a_text_is_as_in_transformers(self, make: Make, theirs: Any, text: str) -> None:
        wanted = theirs(text, padding="max_length", truncation=True, max_length=32)
        found = run(make("text.wordpiece", vocab=VOCAB, max_length=32), to_bytes(text))
        for array, name in zip(found, ("input_ids", "attention_mask", "token_type_ids"), strict=True):
            assert array.dtype == np.int64
            assert array.tolist() == wanted[name]

    @pytest.mark.origin
    def test_a_pair_is_as_in_transformers(self, make: Make, theirs: Any) -> None:
        question, text = "Who opened the bakery?", REAL[0]
        wanted = theirs(question, text, padding="max_length", max_length=64)
        found = run(make("text.wordpiece", vocab=VOCAB, max_length=64, dtype="int32"), *map(to_bytes, (question, text)))
        for array, name in zip(found, ("input_ids", "attention_mask", "token_type_ids"), strict=True):
            assert array.dtype == np.int32
            assert array.tolist() == wanted[name]

    @pytest.mark.origin
    def test_windows_are_those_of_transformers_but_for_a_tail_in_full(self, make: Make, theirs: Any) -> None:
        text, question = " ".join(REAL * 4), "Who?"
        room, stride = 64 - 5, 20
        wanted = theirs(
            question, text, max_length=64, truncation="only_second", stride=room - stride,
            return_overflowing_tokens=True,
        )  # fmt: skip
        step = make("text.wordpiece", vocab=VOCAB, max_length=64, stride=stride)
        first = run(step, to_bytes(question), to_bytes(text), np.array([0]))
        assert first[0].tolist() == wanted["input_ids"]
        pieces = theirs.tokenize(text)
        second = run(step, to_bytes(question), to_bytes(text), np.array([1]))
        assert second[0][4:-1].tolist() == theirs.convert_tokens_to_ids(pieces[stride : stride + room])

    def test_a_long_question_is_cut_and_the_text_begins_at_once(self, make: Make) -> None:
        step = make("text.wordpiece", vocab=VOCAB, max_length=16, max_query=4)
        ids, mask, segments = run(step, to_bytes("one two three four five six"), to_bytes("seven eight"))
        assert ids.tolist()[:9] == [101, 2028, 2048, 2093, 2176, 102, 2698, 2809, 102]
        assert mask.tolist() == [1] * 9 + [0] * 7
        assert segments.tolist() == [0] * 6 + [1] * 3 + [0] * 7

    def test_case_may_matter(self, make: Make) -> None:
        upper, lower = (
            run(make("text.wordpiece", vocab=VOCAB, max_length=8, lower_case=low), to_bytes("Zoe"))[0].tolist()
            for low in (False, True)
        )
        assert upper[1] == 100, "nothing in this vocabulary is in capitals"
        assert lower[1] != 100

    def test_no_room_and_no_such_window_are_told(self, make: Make) -> None:
        step = make("text.wordpiece", vocab=VOCAB, max_length=8)
        with pytest.raises(UserError, match="5 pieces leaves no room for a text in 8 tokens"):
            run(step, to_bytes("one two three four five"), to_bytes("six"))
        with pytest.raises(UserError, match="there is no window 1: the text has 1"):
            run(step, to_bytes("one"), to_bytes("six"), np.array([1]))
        with pytest.raises(UserError, match="as a window's number"):
            run(step, to_bytes("one"), to_bytes("six"), np.array([0.5]))

    def test_a_file_that_is_no_vocabulary(self, make: Make, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("one\ntwo\n[PAD]\n", "utf-8")
        with pytest.raises(UserError, match=r"vocab\.txt has no \[UNK\], \[CLS\], \[SEP\]"):
            make("text.wordpiece", vocab=str(tmp_path / "vocab.txt"))


class TestWindows:
    """Windows over a long text, worked out by hand."""

    @pytest.mark.parametrize(
        ("pieces", "wanted"),
        [(0, []), (1, [(0, 1)]), (10, [(0, 10)]), (11, [(0, 10), (4, 7)]), (18, [(0, 10), (4, 10), (8, 10)])],
    )
    def test_they_end_with_the_text(self, pieces: int, wanted: list[tuple[int, int]]) -> None:
        assert windows_over(pieces, 10, 4) == wanted

    def test_a_stride_beyond_the_room_skips_nothing(self) -> None:
        assert windows_over(5, 2, 9) == [(0, 2), (2, 2), (4, 1)]

    def test_a_piece_belongs_where_its_poorer_side_is_richest(self) -> None:
        windows = windows_over(12, 8, 4)
        assert windows == [(0, 8), (4, 8)]
        # At 5 there are 2 pieces after it in the first window, and 1 before it in the second; at 6 it turns.
        assert best_windows(windows, 12).tolist() == [0] * 6 + [1] * 6


class TestTokenize:
    """``text.tokenize`` against the library that it calls, and that file's own rules."""

    @pytest.mark.parametrize("text", REAL + SMALLEST, ids=repr)
    @pytest.mark.parametrize("limits", [{}, {"length": 6}, {"max_length": 4}])
    def test_it_is_tokenizers(self, make: Make, text: str, limits: dict[str, int]) -> None:
        from tokenizers import Tokenizer

        library = Tokenizer.from_file(str(DATA / TOKENIZER))
        if limits:
            library.enable_truncation(max(limits.values()))
        if "length" in limits:
            library.enable_padding(length=limits["length"], pad_id=0, pad_token="[PAD]")  # noqa: S106  # no password
        wanted = library.encode(text)
        step = make("text.tokenize", tokenizer=TOKENIZER, gives=["segments", "ids", "mask"], **limits)
        segments, ids, mask = run(step, to_bytes(text))
        assert [ids.tolist(), mask.tolist(), segments.tolist()] == [wanted.ids, wanted.attention_mask, wanted.type_ids]

    def test_words_and_padding(self, make: Make) -> None:
        step = make("text.tokenize", tokenizer=TOKENIZER, length=8)
        ids, mask = run(step, to_bytes("The cats sat."))
        assert ids.tolist() == [2, 5, 6, 10, 7, 15, 3, 0]
        assert mask.tolist() == [1] * 7 + [0]

    def test_two_texts_are_told_apart(self, make: Make) -> None:
        step = make("text.tokenize", tokenizer=TOKENIZER, gives=["ids", "segments"])
        ids, segments = run(step, to_bytes("the cat"), to_bytes("sat"))
        assert ids.tolist() == [2, 5, 6, 3, 7, 3]
        assert segments.tolist() == [0, 0, 0, 0, 1, 1]

    def test_special_tokens_may_be_left_out(self, make: Make) -> None:
        step = make("text.tokenize", tokenizer=TOKENIZER, special_tokens=False, gives=["ids"], dtype="int32")
        (ids,) = run(step, to_bytes("the cat"))
        assert ids.tolist() == [5, 6]
        assert ids.dtype == np.int32

    def test_the_files_own_padding_and_cutting_do_not_count_but_how_it_pads_does(
        self, make: Make, tmp_path: Path
    ) -> None:
        from tokenizers import Tokenizer

        library = Tokenizer.from_file(str(DATA / TOKENIZER))
        library.enable_truncation(3)
        library.enable_padding(length=3, direction="left", pad_id=4, pad_token="[MASK]")  # noqa: S106  # no password
        library.save(str(tmp_path / "own.json"))
        own = str(tmp_path / "own.json")
        assert run(make("text.tokenize", tokenizer=own), to_bytes("the cat sat"))[0].tolist() == [2, 5, 6, 7, 3]
        padded = run(make("text.tokenize", tokenizer=own, length=6), to_bytes("the cat sat"))
        assert [array.tolist() for array in padded] == [[4, 2, 5, 6, 7, 3], [0, 1, 1, 1, 1, 1]]

    def test_text_comes_back(self, make: Make) -> None:
        ids = np.array([2, 5, 6, 10, 7, 3, 0])
        (found,) = run(make("text.detokenize", tokenizer=TOKENIZER), ids)
        from tokenizers import Tokenizer

        assert to_text(found) == Tokenizer.from_file(str(DATA / TOKENIZER)).decode(ids.tolist())


class TestPadAndTruncate:
    """``text.pad``, ``text.truncate`` and ``text.attention-mask``."""

    def test_every_array_is_padded_at_its_end(self, make: Make) -> None:
        ids, vectors = run(make("text.pad", length=4, value=9), np.array([1, 2]), np.ones((3, 2), np.float32))
        assert ids.tolist() == [1, 2, 9, 9]
        assert vectors.tolist() == [[1, 1], [1, 1], [1, 1], [9, 9]]
        assert vectors.dtype == np.float32
        assert run(make("text.pad", length=1), np.array([], np.int32))[0].tolist() == [0]

    def test_windows_are_those_of_the_word_pieces(self, make: Make) -> None:
        step = make("text.truncate", length=10, stride=4)
        for pieces in range(1, 30):
            ids = np.arange(pieces)
            wanted = windows_over(pieces, 10, 4)
            found = [run(step, ids, np.array([number]))[0].tolist() for number in range(len(wanted))]
            assert found == [ids[start : start + length].tolist() for start, length in wanted]
            with pytest.raises(UserError, match="there is no window at"):
                run(step, ids, np.array([len(wanted)]))

    def test_without_a_stride_the_beginning_stays(self, make: Make) -> None:
        assert [array.tolist() for array in run(make("text.truncate", length=2), np.arange(3), np.arange(1))] == [
            [0, 1], [0],
        ]  # fmt: skip

    def test_a_mask_is_1_where_there_is_a_token(self, make: Make) -> None:
        ids = np.array([5, 0, 1, 1], np.int32)
        assert [array.tolist() for array in run(make("text.attention-mask", pad=1), ids)] == [
            ids.tolist(),
            [1, 1, 0, 0],
        ]


class TestPooling:
    """``text.mean-pool``, ``text.l2-normalize`` and ``text.span-logits`` against NumPy, row by row."""

    def test_the_mean_over_tokens_that_count(self, make: Make) -> None:
        hidden = np.random.default_rng(1).standard_normal((4, 7, 5)).astype(np.float32)
        mask = np.array([[1] * 7, [1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0], [0] * 7])
        (found,) = run(make("text.mean-pool"), hidden, mask)
        for row, (vectors, counts) in enumerate(zip(hidden, mask, strict=True)):
            wanted = vectors[counts == 1].mean(axis=0) if counts.any() else np.zeros(5)
            np.testing.assert_allclose(found[row], wanted, rtol=1e-5, atol=1e-7)
        (plain,) = run(make("text.mean-pool"), hidden)
        np.testing.assert_allclose(plain, hidden.mean(axis=1), rtol=1e-5, atol=1e-7)

    def test_rows_of_length_1_and_a_row_of_0(self, make: Make) -> None:
        rows = np.array([[3, 4], [0, 0], [-1, 0]], np.float32)
        (found,) = run(make("text.l2-normalize"), rows)
        np.testing.assert_allclose(found, np.array([[0.6, 0.8], [0, 0], [-1, 0]]), rtol=1e-6)

    def test_start_and_end_stand_side_by_side(self, make: Make) -> None:
        start, end = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 3), np.float32)
        (found,) = run(make("text.span-logits"), start, end)
        assert found[1].tolist() == [[3, 0], [4, 0], [5, 0]]


def test_the_shipped_vocabulary_is_the_official_one(vocab: Path) -> None:
    import hashlib

    # The checksum of MLPerf's vocab.txt: script/get-ml-model-bert-large-squad/meta.yaml of mlperf-automations.
    assert hashlib.md5(vocab.read_bytes()).hexdigest() == "64800d5d8528ce344256daf115d4965e"  # noqa: S324  # as published


def test_data_in_the_official_layouts_is_read(open_data: Callable[..., Any]) -> None:
    entries = json.loads((DATA / "cnn_eval.json").read_text("utf-8"))
    (article,) = open_data("cnn-dailymail", gives="article").sample(1)
    assert to_text(article) == entries[1]["input"]
    (prompt,) = open_data("cnn-dailymail").sample(0)
    assert to_text(prompt).endswith(f"### Input:\n{entries[0]['input']}\n\n### Response:")
    assert "### Instruction:\nSummarize the following news article:\n\n" in to_text(prompt)
    (ids,) = open_data("cnn-dailymail", gives="tokens").sample(2)
    assert ids.tolist() == entries[2]["tok_input"]
    assert open_data("cnn-dailymail").label(2) == entries[2]["output"]


def test_an_instruction_takes_the_article_in(open_data: Callable[..., Any], tmp_path: Path) -> None:
    entry = {"instruction": "Article:\n{input}\n\nSummary:", "input": "A {brace}.", "tok_input": [1], "output": "B."}
    (tmp_path / "cnn_eval.json").write_text(json.dumps([entry]), "utf-8")
    (text,) = open_data("cnn-dailymail", root=str(tmp_path), gives="instruction").sample(0)
    assert to_text(text) == "Article:\nA {brace}.\n\nSummary:"
