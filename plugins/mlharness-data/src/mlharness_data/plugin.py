"""The hooks of this plugin; importing it imports neither pyarrow nor datasets nor scikit-learn."""

from __future__ import annotations

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, MetricRegistrar
from mlharness_data import arrays, auc, huggingface, records, regression


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The kinds ``records``, ``numpy`` and ``huggingface``."""
    registrar.dataset("records", open=records.open_records, options=records.OPTIONS)
    registrar.dataset("numpy", open=arrays.open_arrays, options=arrays.OPTIONS)
    registrar.dataset("huggingface", open=huggingface.open_huggingface, options=huggingface.OPTIONS)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    """The metrics ``auc`` and ``mse``."""
    registrar.metric("auc", score=auc.score, response=auc.response, options=auc.OPTIONS)
    registrar.metric("mse", score=regression.score, response=regression.response, higher_is_better=False)
