"""The hooks of this plugin; importing it imports no tokeniser, no metric's library and no framework."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, ManifestRegistrar, MetricRegistrar, StepRegistrar
from mlharness_language import (
    bleu,
    cnn_dailymail,
    pooling,
    responses,
    rouge,
    sentence_pairs,
    similarity,
    squad_data,
    squad_metric,
    steps,
)


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The steps ``text.*``."""
    registrar.step("text.tokenize", steps.make_tokenize, parameters=steps.TOKENIZE)
    registrar.step("text.wordpiece", steps.make_wordpiece, parameters=steps.WORDPIECE)
    registrar.step("text.detokenize", steps.make_detokenize, parameters=steps.DETOKENIZE)
    registrar.step("text.pad", steps.make_pad, parameters=steps.PAD)
    registrar.step("text.truncate", steps.make_truncate, parameters=steps.TRUNCATE)
    registrar.step("text.attention-mask", steps.make_attention_mask, parameters=steps.ATTENTION_MASK)
    registrar.step("text.mean-pool", pooling.make_mean_pool, batch=True)
    registrar.step("text.l2-normalize", pooling.make_l2_normalize, batch=True)
    registrar.step("text.span-logits", pooling.make_span_logits, batch=True)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data-set kinds ``squad``, ``cnn-dailymail`` and ``sentence-pairs``."""
    registrar.dataset("squad", open=squad_data.open_squad, options=squad_data.OPTIONS)
    registrar.dataset("cnn-dailymail", open=cnn_dailymail.open_articles, options=cnn_dailymail.OPTIONS)
    registrar.dataset("sentence-pairs", open=sentence_pairs.open_pairs, options=sentence_pairs.OPTIONS)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    """The metrics ``squad``, ``rouge``, ``bleu`` and ``similarity``."""
    registrar.metric(
        "squad", score=squad_metric.score_squad, response=squad_metric.squad_response, options=squad_metric.OPTIONS
    )
    registrar.metric("rouge", score=rouge.score_rouge, response=responses.text_response, options=rouge.OPTIONS)
    registrar.metric("bleu", score=bleu.score_bleu, response=responses.text_response, options=bleu.OPTIONS)
    registrar.metric(
        "similarity",
        score=similarity.score_similarity,
        response=similarity.similarity_response,
        options=similarity.OPTIONS,
    )


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The models ``mlperf-bert``, ``mlperf-bert-int8`` and ``all-minilm-l6-v2``, and their data sets."""
    registrar.folder(Path(__file__).parent / "manifests")
