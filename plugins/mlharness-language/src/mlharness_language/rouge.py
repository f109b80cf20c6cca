"""The metric ``rouge``: how much of a summary's words and their order is in the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Option, Score
from mlharness.stats import mean_interval
from mlharness_language.responses import RESPONSE, TOKENIZER, read_texts

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
OPTIONS = (
    RESPONSE,
    TOKENIZER,
    Option("value", "string", "Which of the figures is held against the target.", default="rouge1", choices=KINDS),
    Option(
        "sentences",
        "string",
        "How rougeLsum parts sentences: lines (the text's own), or punkt (NLTK's English model, as MLPerf's script).",
        default="lines",
        choices=("lines", "punkt"),
    ),
    Option("stem", "boolean", "Whether words are cut to their stems first.", default=True),
)


def score_rouge(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """ROUGE-1, -2, -L and -Lsum (F1, percent) of rouge-score, each the mean over documents with a bootstrap interval.

    As MLPerf's evaluation.py of language/gpt-j and language/llama3.1-8b, which stem. ``value`` is ROUGE-1 unless the
    option says otherwise; ``details`` has all four.
    """
    from rouge_score.rouge_scorer import RougeScorer

    split: Callable[[str], str] = join_sentences if options["sentences"] == "punkt" else str.strip
    scorer = RougeScorer(list(KINDS), use_stemmer=options["stem"])
    figures: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for text, references in read_texts("rouge", responses, label, options):
        found = scorer.score_multi([split(one) for one in references], split(text))
        for kind in KINDS:
            figures[kind].append(100.0 * found[kind].fmeasure)
    chosen = figures[options["value"]]
    details = {kind: float(np.mean(values)) for kind, values in figures.items()}
    return Score(details[options["value"]], "%", len(chosen), mean_interval(chosen), details)


def join_sentences(text: str) -> str:
    """A text with a sentence a line. Raises UserError when NLTK's model is not there."""
    import nltk

    try:
        return "\n".join(nltk.sent_tokenize(text.strip()))
    except LookupError as error:
        raise UserError(
            "sentences: punkt needs NLTK's model, which is not installed",
            "Run: python -m nltk.downloader punkt_tab, or leave sentences out.",
        ) from error
