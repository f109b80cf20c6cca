"""The metric ``python``: what it is given, what it may return, and where its errors point."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.inline import mlh_register_metrics
from mlharness.builtin.inline_metric import score_python
from mlharness.errors import RunError, UserError
from mlharness.options import resolve_options
from mlharness.providers import Array, Score
from mlharness.registrars import Catalog, MetricRegistrar
from mlharness.stats import mean_interval

ROWS: Mapping[int, Array] = {index: np.array([index, -index], np.float32) for index in range(4)}
LABELS = [0, 1, 7, None]
HEAD = "def score(responses, label, options):\n"


def score(source: str, **given: Any) -> Score:
    """The score of ``ROWS``, with the options that planning gives."""
    catalog = Catalog()
    mlh_register_metrics(MetricRegistrar(catalog, "builtin-inline"))
    provider = catalog.metrics.find("python").provider
    options = resolve_options("metric", provider.options, {"source": source, "line": 7, "unit": "%", **given})
    return score_python(ROWS, LABELS.__getitem__, options, filename="m.yaml")


def returning(expression: str, **given: Any) -> Score:
    return score(f"{HEAD}    import numpy as np\n    return {expression}\n", **given)


def test_it_gets_responses_labels_and_options() -> None:
    found = score(
        HEAD + "    assert options == {'factor': 50}\n"
        "    labelled = {index: row for index, row in responses.items() if label(index) is not None}\n"
        "    right = sum(row[0] == label(index) for index, row in labelled.items())\n"
        "    return {'value': options['factor'] * right, 'n': len(labelled), 'details': {'right': right}}\n",
        options={"factor": 50},
    )
    assert found == Score(100.0, "%", 3, None, {"right": 2.0})


@pytest.mark.parametrize("number", ["2.5", "np.float32(2.5)", "np.array(2.5)", "5 / 2"])
def test_a_number_is_the_value_over_all_samples(number: str) -> None:
    assert returning(number) == Score(2.5, "%", 4, None)


def test_a_whole_number_and_a_truth_are_numbers() -> None:
    assert [returning(one).value for one in ("3", "True", "np.int8(3)")] == [3.0, 1.0, 3.0]


@pytest.mark.parametrize("interval", ["(1, 2)", "[1.0, 2.0]", "np.array([1, 2])"])
def test_a_mapping_has_the_fields_of_a_score(interval: str) -> None:
    found = returning(f"{{'value': np.float64(1.5), 'n': np.int64(3), 'interval': {interval}, 'details': {{'a': 1}}}}")
    assert found == Score(1.5, "%", 3, (1.0, 2.0), {"a": 1.0})
    assert isinstance(found.n, int)
    assert returning("{'value': 1}") == Score(1.0, "%", 4, None)


def test_one_number_a_sample_gives_their_mean_and_its_interval() -> None:
    for made in ("[1.0, 0, 0, 1]", "np.array([1, 0, 0, 1])", "(True, False, False, True)"):
        assert returning(made) == Score(0.5, "%", 4, mean_interval([1, 0, 0, 1]))
    assert returning("[3]") == Score(3.0, "%", 1, None)


def test_a_score_is_one_already() -> None:
    source = f"from mlharness.providers import Score\n{HEAD}    return Score(1, 'mAP', 2, None)\n"
    assert score(source) == Score(1, "mAP", 2, None)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("None", "returned NoneType"),
        ("'2.5'", "returned str"),
        ("{1, 2}", "returned set"),
        ("iter([1])", "returned list_iterator"),
        ("[]", "returned no list of 1 to 4 numbers"),
        ("[1] * 5", "returned no list of 1 to 4 numbers"),
        ("[1, None, 'a', 2]", "returned no list of 1 to 4 numbers"),
        ("np.zeros((2, 2))", "returned no list of 1 to 4 numbers"),
        ("{}", "returned no 'value'"),
        ("{'valeu': 1}", "returned 'valeu'"),
        ("{'value': 'high'}", "value is 'high', and must be a number"),
        ("{'value': 1, 'n': None}", "n is None"),
        ("{'value': 1, 'interval': 2}", "returned the interval 2"),
        ("{'value': 1, 'interval': (1, 2, 3)}", r"returned the interval \(1, 2, 3\)"),
        ("{'value': 1, 'interval': (1, None)}", "interval is None"),
        ("{'value': 1, 'details': {'a': 'b'}}", r"details\['a'\] is 'b'"),
    ],
)
def test_what_it_must_not_return(expression: str, said: str) -> None:
    with pytest.raises(RunError, match=f"^m.yaml:7: .*{said}") as raised:
        returning(expression)
    assert raised.value.remedy


def test_a_misspelt_field_gets_the_right_one() -> None:
    with pytest.raises(RunError) as raised:
        returning("{'valeu': 1}")
    assert raised.value.remedy == "Did you mean 'value'? Known: details, interval, n, value."


def test_what_it_raises_is_told_with_the_manifests_line() -> None:
    with pytest.raises(RunError, match=r"^m\.yaml:9: score\(responses, label, options\) failed: ZeroDivisionError"):
        returning("1 / 0")
    with pytest.raises(RunError, match=r"^m\.yaml:8: the metric's Python failed: ZeroDivisionError"):
        score("\n1 / 0")


def test_source_that_cannot_be() -> None:
    for source, said in (("x x", r"m\.yaml:7: "), ("score = 1", "does not define score"), ("import mlh_no", "mlh_no")):
        with pytest.raises(UserError, match=said):
            score(source)


def test_it_runs_in_the_module_that_it_is_given() -> None:
    module = types.ModuleType("manifest_code")
    module.__dict__["bonus"] = 3
    options = {"source": f"{HEAD}    return bonus\n", "line": 1, "unit": "", "options": None}
    assert score_python(ROWS, LABELS.__getitem__, options, namespace=module).value == 3.0
    assert module.__dict__["score"]
