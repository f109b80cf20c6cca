"""ROUGE, BLEU and similarity against the libraries that users know."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import DATA
from mlharness_language.resampling import interval_of
from mlharness_language.rouge import KINDS
from mlharness_language.sentence_pairs import Paired
from mlharness_language.similarity import correlation, ranks
from mlharness_language.text import to_bytes

from mlharness.errors import RunError, UserError
from mlharness.providers import Array, Score
from mlharness.stats import bootstrap_interval

Scored = Callable[..., Score]
ENTRIES = json.loads((DATA / "cnn_eval.json").read_text("utf-8"))
REFERENCES = [entry["output"] for entry in ENTRIES]
CANDIDATES = [
    "The ferry to Skarholm will run at night .\nThere will be two departures on weekdays .\n",
    "A baker won a prize for her sourdoughs .\nZoë Müller-Łukasik baked in a garage .",
    "The restored engine can be seen in Lundvik .",
]


def logged(texts: list[str]) -> dict[int, Array]:
    return {index: to_bytes(text) for index, text in enumerate(texts)}


class TestRouge:
    """As the official evaluation.py of language/gpt-j computes it, by rouge-score."""

    @pytest.mark.parametrize("stem", [True, False])
    def test_it_is_rouge_score(self, score: Scored, stem: bool) -> None:
        from rouge_score.rouge_scorer import RougeScorer

        library = RougeScorer(list(KINDS), use_stemmer=stem)
        pairs = zip(REFERENCES, CANDIDATES, strict=True)
        each = [library.score(reference.strip(), candidate.strip()) for reference, candidate in pairs]
        wanted = {kind: np.mean([one[kind].fmeasure for one in each]) * 100 for kind in KINDS}
        found = score("rouge", logged(CANDIDATES), REFERENCES.__getitem__, stem=stem)
        assert found.details == pytest.approx(wanted, rel=1e-12)
        assert found.value == found.details["rouge1"]
        assert (found.n, found.unit) == (3, "%")
        assert found.interval is not None
        assert found.interval[0] <= found.value <= found.interval[1]

    def test_another_figure_may_be_the_value(self, score: Scored) -> None:
        found = score("rouge", logged(CANDIDATES), REFERENCES.__getitem__, value="rougeLsum")
        assert found.value == found.details["rougeLsum"] != found.details["rouge1"]

    def test_of_several_references_the_best_counts(self, score: Scored) -> None:
        found = score("rouge", {0: to_bytes("a grey cat")}, lambda index: ["dogs bark", "a grey cat"])
        assert (found.value, found.n, found.interval) == (100.0, 1, None)

    def test_ids_are_decoded_without_special_tokens(self, score: Scored) -> None:
        ids = np.array([2, 5, 6, 7, 3, 0, 0])
        for dtype in ("int32", "int64"):
            found = score(
                "rouge", {0: ids.astype(dtype)}, lambda index: "the cat sat", response=dtype, tokenizer="tokenizer.json"
            )
            assert found.value == 100.0

    def test_ids_need_a_tokenizer(self, catalog: Any) -> None:
        response = catalog.metrics.find("rouge").provider.response
        assert response({"response": "int64", "tokenizer": "t.json"}).dtype == "int64"
        with pytest.raises(UserError, match="nothing says what the ids mean"):
            response({"response": "int64", "tokenizer": None})

    def test_sentences_by_nltk_need_its_model(self, score: Scored, monkeypatch: pytest.MonkeyPatch) -> None:
        import nltk

        monkeypatch.setattr(nltk.data, "path", [])
        with pytest.raises(UserError, match="NLTK's model, which is not installed"):
            score("rouge", logged(CANDIDATES), REFERENCES.__getitem__, sentences="punkt")

    def test_what_is_no_text_is_named(self, score: Scored) -> None:
        with pytest.raises(RunError, match="the response of sample 0 is no UTF-8: byte 1"):
            score("rouge", {0: np.array([65, 255], np.uint8)}, lambda index: "A")

    def test_nothing_said_scores_nothing(self, score: Scored) -> None:
        assert score("rouge", {0: np.zeros(0, np.uint8)}, lambda index: "a cat").value == 0


class TestBleu:
    """sacrebleu."""

    @pytest.mark.parametrize("options", [{}, {"tokenize": "char"}, {"lower_case": True, "tokenize": "intl"}])
    def test_it_is_sacrebleu(self, score: Scored, options: dict[str, Any]) -> None:
        from sacrebleu.metrics import BLEU

        how = {"tokenize": options.get("tokenize", "13a"), "lowercase": options.get("lower_case", False)}
        wanted = BLEU(**how).corpus_score(CANDIDATES, [REFERENCES])
        found = score("bleu", logged(CANDIDATES), REFERENCES.__getitem__, **options)
        assert found.value == wanted.score
        assert [found.details[f"precision{order}"] for order in range(1, 5)] == wanted.precisions
        assert found.details["brevity_penalty"] == wanted.bp
        assert found.interval is not None
        assert found.interval[0] <= found.value <= found.interval[1]

    def test_some_texts_may_have_more_references(self, score: Scored) -> None:
        from sacrebleu.metrics import BLEU

        references = [[REFERENCES[0], CANDIDATES[0]], [REFERENCES[1]], [REFERENCES[2]]]
        found = score("bleu", logged(CANDIDATES), references.__getitem__)
        wanted = BLEU().corpus_score(CANDIDATES, [REFERENCES, [CANDIDATES[0], None, None]])
        assert found.value == wanted.score > score("bleu", logged(CANDIDATES), REFERENCES.__getitem__).value

    def test_the_interval_is_of_sacrebleus_own_figures(self, score: Scored) -> None:
        from sacrebleu.metrics import BLEU

        draw = np.random.default_rng(0)
        rounds = [draw.integers(0, 3, 3) for _ in range(1000)]
        figures = [
            BLEU().corpus_score([CANDIDATES[index] for index in drawn], [[REFERENCES[index] for index in drawn]]).score
            for drawn in rounds[:50]
        ]
        found = score("bleu", logged(CANDIDATES), REFERENCES.__getitem__).interval
        assert found is not None
        assert found[0] <= np.median(figures) <= found[1]


class TestSimilarity:
    """Rank correlation, as SciPy has it."""

    def embeddings(self, pairs: int) -> tuple[dict[int, Array], list[float]]:
        draw = np.random.default_rng(3)
        rows = draw.standard_normal((2 * pairs, 8)).astype(np.float32)
        rows[1::2] += rows[::2] * np.linspace(0, 4, pairs, dtype=np.float32)[:, None]
        return dict(enumerate(rows)), [float(number * 3 // pairs) for number in range(pairs)]

    def test_it_is_spearmans_and_pearsons(self, score: Scored) -> None:
        stats = pytest.importorskip("scipy.stats", reason="scipy is not installed (extra `test`)")
        responses, grades = self.embeddings(30)
        cosines = [
            float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            for a, b in ((responses[2 * k].astype(float), responses[2 * k + 1].astype(float)) for k in range(30))
        ]
        found = score("similarity", responses, lambda index: Paired(index // 2, grades[index // 2]))
        assert found.value == pytest.approx(100 * stats.spearmanr(grades, cosines).statistic)
        assert found.details["pearson"] == pytest.approx(100 * stats.pearsonr(grades, cosines).statistic)
        assert found.n == 30
        assert found.interval is not None
        assert found.interval[0] < found.value < found.interval[1]

    def test_equal_values_share_a_rank(self) -> None:
        assert ranks(np.array([10, 20, 10, 30])).tolist() == [1.5, 3, 1.5, 4]
        assert correlation(np.array([1.0, 1.0]), np.array([1.0, 2.0])) == 0

    def test_neighbours_are_looked_for_among_all_second_sentences(self, score: Scored) -> None:
        east, north, near = np.array([1, 0], np.float32), np.array([0, 1], np.float32), np.array([1, 0.1], np.float32)
        rows = [east, north, north, north, east, near]
        grades = [1.0, 1.0, 0.0]
        found = score("similarity", dict(enumerate(rows)), lambda index: Paired(index // 2, grades[index // 2]))
        assert found.details["nearest_neighbour"] == 0, "the first is closer to another's; of equals the first counts"

    def test_half_a_pair_does_not_count(self, score: Scored) -> None:
        responses, grades = self.embeddings(4)
        del responses[7]
        assert score("similarity", responses, lambda index: Paired(index // 2, grades[index // 2])).n == 3
        with pytest.raises(RunError, match="not two pairs"):
            score("similarity", {0: responses[0], 1: responses[1]}, lambda index: Paired(0, 1.0))


def test_a_pairs_file_names_its_wrong_line(open_data: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "p.tsv").write_text("1\tA.\tB.\n\nnan\tA.\tB.\n", "utf-8")
    with pytest.raises(UserError, match=r"p\.tsv:3: no grade and two sentences"):
        open_data("sentence-pairs", file=str(tmp_path / "p.tsv"))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8, 9])
def test_intervals_are_the_kernels(n: int) -> None:
    values = np.random.default_rng(n).standard_normal(n)
    found = interval_of(n, lambda drawn: float(values[drawn].mean()))
    assert found == pytest.approx(bootstrap_interval(n, lambda drawn: float(values[drawn].mean())))
