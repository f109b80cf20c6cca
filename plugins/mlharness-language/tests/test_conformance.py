"""Steps, data sets and metrics hold to the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from conftest import DATA, VOCAB
from making import logits_of
from mlharness_language.sentence_pairs import Paired
from mlharness_language.spans import Feature
from mlharness_language.text import to_bytes

from mlharness.providers import Array, Arrays
from mlharness.testing import DataSetConformance, MetricConformance, StepConformance

TOKENIZER = str(DATA / "tokenizer.json")
TEXT = "Zoë's sourdough is 112 years old."


class OnText(StepConformance):
    """A step on a text."""

    def make_arrays(self) -> Arrays:
        return (to_bytes(TEXT),)

    def other_arrays(self) -> Arrays:
        return (to_bytes(TEXT[::-1]),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros(4, np.float32),), (np.array([255], np.uint8),), (to_bytes(TEXT),) * 4]


class TestWordpiece(OnText):
    step = "text.wordpiece"
    parameters: Mapping[str, Any] = {"vocab": VOCAB, "max_length": 24, "max_query": 8}
    gives = (("int64", (24,)),) * 3
    bad_parameters = ({}, {"vocab": "no.txt"}, {"vocab": VOCAB, "stride": 0}, {"vocab": VOCAB, "max_length": 3})


class TestTokenize(OnText):
    step = "text.tokenize"
    parameters: Mapping[str, Any] = {"tokenizer": TOKENIZER, "length": 16, "gives": ["ids", "mask"]}
    gives = (("int64", (16,)),) * 2
    bad_parameters = (
        {},
        {"tokenizer": str(DATA / "cnn_eval.json")},
        {"tokenizer": TOKENIZER, "length": 8, "max_length": 8},
        {"tokenizer": TOKENIZER, "length": 2},
        {"tokenizer": TOKENIZER, "gives": ["id"]},
        {"tokenizer": TOKENIZER, "length": 8, "pad_token": "<none>"},
    )


class OnIds(StepConformance):
    """A step on token ids."""

    def make_arrays(self) -> Arrays:
        return (np.array([101, 7, 5, 102, 0, 0]),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array(3),)]


class TestDetokenize(OnIds):
    step = "text.detokenize"
    parameters: Mapping[str, Any] = {"tokenizer": TOKENIZER}
    gives = (("uint8", (None,)),)
    bad_parameters = ({}, {"tokenizer": str(DATA / "dev-v1.1.json")})

    def make_arrays(self) -> Arrays:
        return (np.array([5, 6, 7, 8]),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros(3, np.float32),), (np.zeros((2, 2), np.int64),)]


class TestPad(OnIds):
    step = "text.pad"
    parameters: Mapping[str, Any] = {"length": 8}
    gives = (("int64", (8,)),)
    bad_parameters = ({}, {"length": 0})

    def bad_arrays(self) -> Sequence[Arrays]:
        return [*super().bad_arrays(), (np.zeros(9),)]


class TestTruncate(OnIds):
    step = "text.truncate"
    parameters: Mapping[str, Any] = {"length": 4}
    gives = (("int64", (4,)),)
    bad_parameters = ({}, {"length": 0}, {"length": 4, "stride": 0})


class TestAttentionMask(OnIds):
    step = "text.attention-mask"
    gives = (("int64", (6,)), ("int64", (6,)))
    bad_parameters = ({"pad": "no"},)


class TestMeanPool(StepConformance):
    step = "text.mean-pool"
    gives = (("float32", (3, 4)),)

    def make_arrays(self) -> Arrays:
        hidden = np.arange(60, dtype=np.float32).reshape(3, 5, 4)
        return hidden, np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros((3, 4), np.float32),), (np.zeros((3, 5, 4), np.float32), np.zeros((3, 4)))]


class TestL2Normalize(StepConformance):
    step = "text.l2-normalize"
    gives = (("float32", (3, 4)),)

    def make_arrays(self) -> Arrays:
        return (np.arange(12, dtype=np.float32).reshape(3, 4),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros(3, np.float32),)]


class TestSpanLogits(StepConformance):
    step = "text.span-logits"
    gives = (("float32", (3, 4, 2)),)

    def make_arrays(self) -> Arrays:
        first = np.arange(12, dtype=np.float32).reshape(3, 4)
        return first, -first

    def bad_arrays(self) -> Sequence[Arrays]:
        return [self.make_arrays()[:1], (np.zeros((3, 4)), np.zeros((3, 5)))]


class TestSquad(DataSetConformance):
    dataset = "squad"
    count = 38

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(DATA)}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "cut.json").write_text('{"data": [', "utf-8")
        (folder / "other.json").write_text('{"data": [{"paragraphs": [{"context": "No questions."}]}]}', "utf-8")
        empty = '{"data": [{"paragraphs": [{"context": " ", "qas": [{"id": "1", "question": "?", "answers": []}]}]}]}'
        (folder / "empty.json").write_text(empty, "utf-8")
        here: dict[str, Any] = {"root": str(folder)}
        return [
            here,
            *({**here, "file": file} for file in ("cut.json", "other.json", "empty.json")),
            {"root": str(DATA), "stride": 0},
            {"root": str(DATA), "max_length": 60},
            {"root": str(DATA), "vocab": "none.txt"},
        ]


class TestArticles(DataSetConformance):
    dataset = "cnn-dailymail"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(DATA)}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "cut.json").write_text("[", "utf-8")
        (folder / "one.json").write_text("{}", "utf-8")
        (folder / "lacking.json").write_text('[{"instruction": "Do.", "input": "Text."}]', "utf-8")
        names = ("cnn_eval.json", "cut.json", "one.json", "lacking.json")
        return [{"root": str(folder), "file": name} for name in names]


class TestPairs(DataSetConformance):
    dataset = "sentence-pairs"
    count = 4

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        (folder / "pairs.tsv").write_text("1\tA cat.\tEin Kätzchen.\n\n0.5\tA dog.\tRain.\n", "utf-8")
        return {"file": "pairs.tsv"}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "two.tsv").write_text("1\tA cat.\n", "utf-8")
        (folder / "words.tsv").write_text("one\tA cat.\tA dog.\n", "utf-8")
        (folder / "latin.tsv").write_bytes(b"1\t\xe9t\xe9\tsummer\n")
        return [{"file": name} for name in ("two.tsv", "words.tsv", "latin.tsv", "none.tsv")]


class TestSquadMetric(MetricConformance):
    metric = "squad"
    options: Mapping[str, Any] = {"max_length": 8}
    expected = 100 * (1 + 2 / 3) / 2  # one answer is right; of the other's two words one is, of precision 1/2, recall 1

    def make_responses(self) -> Mapping[int, Array]:
        return {0: logits_of(8, 4, 4), 1: logits_of(8, 3, 4)}

    def label(self, index: int) -> Feature:
        words = ("one", "blue", "whale")
        tokens = ("[CLS]", "who", "[SEP]", *words, "[SEP]")
        word_of = np.array([-1, -1, -1, 0, 1, 2, -1])
        return Feature(str(index), (words[1],), words, tokens, word_of, word_of >= 0, str.split)


class OfTexts(MetricConformance):
    """A metric on texts."""

    most_lines = 5000  # each of 1,000 rounds of the bootstrap runs a line or two

    def make_responses(self) -> Mapping[int, Array]:
        return {0: to_bytes("the cat sat on the mat today"), 1: to_bytes("a dog barks at night")}

    def label(self, index: int) -> str:
        return ("the cat sat on the mat", "the dog barks loudly at night")[index]


class TestRouge(OfTexts):
    metric = "rouge"
    expected = 100 * (2 * (6 / 7) * 1 / (6 / 7 + 1) + 2 * (4 / 5) * (4 / 6) / (4 / 5 + 4 / 6)) / 2


class TestBleu(OfTexts):
    metric = "bleu"
    # 10 of 12 words, 7 of 10 pairs, 4 of 8 triples, 3 of 6 fours; 12 words for 12 of the references.
    expected = 100 * (10 / 12 * 7 / 10 * 4 / 8 * 3 / 6) ** 0.25


class TestSimilarity(MetricConformance):
    metric = "similarity"
    options: Mapping[str, Any] = {"width": 2}
    expected = 100.0
    most_lines = 5000  # 1,000 rounds of the bootstrap rank the pairs anew

    def make_responses(self) -> Mapping[int, Array]:
        angles = (0.0, 0.1, 0.0, 0.5, 0.0, 1.2)
        return {index: np.array([np.cos(angle), np.sin(angle)], np.float32) for index, angle in enumerate(angles)}

    def label(self, index: int) -> Paired:
        return Paired(index // 2, 3.0 - index // 2)
