"""Top-1 and top-k: the share of samples whose class number, or one of them, is the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from mlharness.builtin.accuracy import mlh_register_metrics, score_top1, score_topk
from mlharness.errors import RunError, UserError
from mlharness.providers import Array, ResponseSpec
from mlharness.registrars import Catalog, MetricRegistrar
from mlharness.stats import wilson_interval


def responses(*classes: float) -> Mapping[int, Array]:
    return {index: np.array([number], np.float32) for index, number in enumerate(classes)}


def test_share_and_interval_are_percent() -> None:
    labels = [1, 2, 3, 0]
    found = score_top1(responses(1, 2, 3, 3), labels.__getitem__, {})
    low, high = wilson_interval(3, 4)
    assert (found.value, found.unit, found.n) == (75.0, "%", 4)
    assert found.interval == pytest.approx((100 * low, 100 * high))


@pytest.mark.parametrize(("classes", "value"), [((7, 8), 100.0), ((8, 7), 0.0)])
def test_all_and_none(classes: tuple[int, int], value: float) -> None:
    found = score_top1(responses(*classes), [7, 8].__getitem__, {})
    assert found.value == value
    assert found.interval is not None
    assert 0.0 <= found.interval[0] <= value <= found.interval[1] <= 100.0


def test_samples_go_with_their_own_labels_whatever_the_order() -> None:
    labels = {5: 50, 3: 30, 9: 90}
    given = {index: np.array([label], np.float32) for index, label in labels.items()}
    assert score_top1(given, labels.__getitem__, {}).value == 100.0


def test_samples_without_a_label_are_left_out_and_seen_to_be() -> None:
    labels: list[Any] = [1, None, 0, None]
    found = score_top1(responses(1, 1, 1, 1), labels.__getitem__, {})
    assert (found.value, found.n) == (50.0, 2)


def test_the_label_0_is_a_label() -> None:
    assert score_top1(responses(0), [0].__getitem__, {}).n == 1


def test_without_any_label_there_is_no_score() -> None:
    with pytest.raises(RunError, match="no sample of the data set has a label"):
        score_top1(responses(1), lambda index: None, {})


def test_top_k_is_scikit_learns() -> None:
    draw = np.random.default_rng(6)
    scores, truth = draw.normal(size=(500, 20)).astype(np.float32), draw.integers(0, 20, 500)
    best = np.argsort(-scores, axis=1)[:, :5].astype(np.float32)
    found = score_topk(dict(enumerate(best)), truth.__getitem__, {"k": 5})
    for k, value in ((5, found.value), (1, found.details["top1"])):
        expected = 100 * top_k_accuracy_score(truth, scores, k=k, labels=range(20))
        assert value == pytest.approx(expected, abs=1e-12)
    low, high = wilson_interval(round(5 * found.value), 500)
    assert (found.unit, found.n) == ("%", 500)
    assert found.interval == pytest.approx((100 * low, 100 * high))


def test_top_k_leaves_out_samples_without_a_label_and_needs_one() -> None:
    given = {index: np.array([index, 7], np.float32) for index in range(3)}
    labels: list[Any] = [7, None, 0]
    found = score_topk(given, labels.__getitem__, {"k": 2})
    assert (found.value, found.n, dict(found.details)) == (50.0, 2, {"top1": 0.0})
    with pytest.raises(RunError, match="topk: no sample of the data set has a label"):
        score_topk(given, lambda index: None, {"k": 2})


def test_top_k_reads_back_k_numbers() -> None:
    catalog = Catalog()
    mlh_register_metrics(MetricRegistrar(catalog, "builtin-accuracy"))
    provider = catalog.metrics.find("topk").provider
    assert provider.response({"k": 3}) == ResponseSpec("float32", (3,))
    assert provider.response({}) == ResponseSpec("float32", (5,))
    assert [(option.name, option.default) for option in provider.options] == [("k", 5)]
    with pytest.raises(UserError, match="k is 0"):
        provider.response({"k": 0})


def test_it_reads_back_what_mlperfs_script_reads() -> None:
    catalog = Catalog()
    mlh_register_metrics(MetricRegistrar(catalog, "builtin-accuracy"))
    provider = catalog.metrics.find("top1").provider
    assert provider.response({}) == ResponseSpec("float32", (1,))
    assert provider.higher_is_better
