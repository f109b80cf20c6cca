"""The metric ``squad``: F1 and exact match of answers, figure by figure those of MLPerf's script."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlharness.errors import RunError
from mlharness.providers import Array, Option, ResponseSpec, Score
from mlharness.stats import mean_interval
from mlharness_language.spans import Feature, best_span

OPTIONS = (
    Option("max_length", "integer", "Tokens of a sample.", default=384),
    Option("n_best", "integer", "How many of the likeliest starts and ends are tried.", default=20),
    Option("max_answer", "integer", "The most tokens of an answer.", default=30),
)
NO_ANSWER = "empty"
"""What MLPerf's script predicts where no start and end make an answer."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True)
class Prediction:
    """The best answer to a question so far, and the sum of its logits."""

    text: str
    score: float
    answers: tuple[str, ...]


def score_squad(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """F1 of SQuAD 1.1, percent, over questions: each has the best answer of its windows; and ``exact_match``.

    ``n`` counts questions, and the interval is a bootstrap over them. As accuracy-squad.py and evaluate_v1.1.py of
    MLPerf's language/bert.
    """
    questions = answer_questions(responses, label, options["n_best"], options["max_answer"])
    if not questions:
        raise RunError("squad: no sample is a question with answers", "Use a data set of the kind squad.")
    overlaps = [best_of(overlap, one) for one in questions.values()]
    exact = sum(best_of(is_exact, one) for one in questions.values())
    n = len(overlaps)
    interval = mean_interval(overlaps)
    percent = None if interval is None else (100.0 * interval[0], 100.0 * interval[1])
    return Score(100.0 * sum(overlaps) / n, "%", n, percent, {"exact_match": 100.0 * exact / n})


def squad_response(options: Mapping[str, Any]) -> ResponseSpec:
    """Start and end logits of every token, as MLPerf logs them."""
    return ResponseSpec("float32", (options["max_length"], 2))


def answer_questions(
    responses: Mapping[int, Array], label: Callable[[int], Any], n_best: int, longest: int
) -> dict[str, Prediction]:
    """The prediction for each question by its id, in the data set's order. Of equal windows the first wins."""
    found: dict[str, Prediction] = {}
    for index in sorted(responses):
        feature = label(index)
        if not isinstance(feature, Feature) or not feature.answers:
            continue
        span = best_span(responses[index], feature, n_best, longest)
        before = found.setdefault(feature.question, Prediction(NO_ANSWER, -float("inf"), feature.answers))
        if span is not None and span.score > before.score:
            text = feature.text(span.start, span.end)
            found[feature.question] = Prediction(text, span.score, feature.answers)
    return found


def best_of(measure: Callable[[str, str], float], one: Prediction) -> float:
    """The measure of a prediction against the answer that it fits best."""
    return max(measure(one.text, answer) for answer in one.answers)


def plain_words(text: str) -> list[str]:
    """Lower-case words without punctuation and articles."""
    return _ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def is_exact(found: str, answer: str) -> float:
    """1 when the plain words are the same, else 0."""
    return float(plain_words(found) == plain_words(answer))


def overlap(found: str, answer: str) -> float:
    """F1 of the plain words, 0 to 1."""
    ours, theirs = plain_words(found), plain_words(answer)
    common = sum((Counter(ours) & Counter(theirs)).values())
    if not common:
        return 0.0
    precision, recall = common / len(ours), common / len(theirs)
    return (2 * precision * recall) / (precision + recall)
