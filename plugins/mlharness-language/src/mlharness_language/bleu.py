"""The metric ``bleu``: how many of a translation's word sequences are in the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import zip_longest
from typing import Any

import numpy as np

from mlharness.providers import Array, Option, Score
from mlharness_language.resampling import interval_of
from mlharness_language.responses import RESPONSE, TOKENIZER, read_texts

OPTIONS = (
    RESPONSE,
    TOKENIZER,
    Option(
        "tokenize",
        "string",
        "How sacrebleu parts words.",
        default="13a",
        choices=("13a", "intl", "zh", "char", "none"),
    ),
    Option("lower_case", "boolean", "Whether case means nothing.", default=False),
)
_ORDERS = 4


def score_bleu(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """BLEU of sacrebleu over all texts, 0 to 100, with a bootstrap interval over them.

    Details: ``precision1`` to ``precision4``, percent, and ``brevity_penalty``. Texts may have several references.
    """
    texts = read_texts("bleu", responses, label, options)
    # Whether short texts have all orders matters to a text's own score only, which is not used.
    library, alone = (make_library(options["tokenize"], options["lower_case"], short) for short in (False, True))
    candidates = [text for text, _ in texts]
    streams = [list(stream) for stream in zip_longest(*(references for _, references in texts))]
    whole = library.corpus_score(candidates, streams)
    counts = np.array([_counts(alone.sentence_score(text, references)) for text, references in texts])
    interval = interval_of(len(texts), lambda drawn: _bleu(library, counts[drawn].sum(axis=0)))
    details = {f"precision{order}": share for order, share in enumerate(whole.precisions, start=1)}
    return Score(whole.score, "", len(texts), interval, {**details, "brevity_penalty": whole.bp})


@cache
def make_library(tokenize: str, lower_case: bool, short: bool) -> Any:
    """sacrebleu's BLEU, made once: its tokenisers stay in a cache of the library's, and one more with each.

    ``short`` counts for texts of fewer than four words the orders that they have.
    """
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenize, lowercase=lower_case, effective_order=short)


def _counts(score: Any) -> list[int]:
    """Of one text: its sequences found and in all, of each order, its length and its reference's. [10]."""
    return [*score.counts, *score.totals, score.sys_len, score.ref_len]


def _bleu(library: Any, sums: Array) -> float:
    """BLEU from the sums of :func:`_counts`."""
    found, total, (ours, theirs) = sums[:_ORDERS], sums[_ORDERS:-2], sums[-2:]
    return float(library.compute_bleu(found.tolist(), total.tolist(), int(ours), int(theirs)).score)
