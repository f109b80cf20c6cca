"""The JSON form follows its schema, with whatever names hold."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlharness.resources import resource_folder
from mlharness.summarising.document import SUMMARY_VERSION, to_json
from mlharness.summarising.summary import Case, Figure
from tests.unit.summarising.making import HOSTILE, a_summary, every_outcome


def valid(text: str) -> Any:
    """The document, which follows the schema."""
    document = json.loads(text)
    schema = json.loads((resource_folder("schemas") / "summary.v1.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
    assert document["schema_version"] == SUMMARY_VERSION
    return document


def test_every_outcome() -> None:
    document = valid(to_json(a_summary(*every_outcome())))
    assert document["outcome"] == "error"
    assert document["counts"] == {"passed": 1, "failed": 1, "error": 1, "skipped": 1}
    assert document["cases"][0]["figures"] == {"p90": {"value": 1e6, "unit": "ns"}}
    assert [case["run_id"] for case in document["cases"]] == [None, "20260301-x", None, None]


@pytest.mark.parametrize(("outcome", "whole"), [("passed", "passed"), ("failed", "failed"), ("skipped", "passed")])
def test_the_outcome_of_all(outcome: Any, whole: str) -> None:
    assert valid(to_json(a_summary(Case("s", "a"), Case("s", "b", outcome))))["outcome"] == whole


def test_numbers_that_are_none_are_left_out() -> None:
    case = Case("s", "a", figures=[Figure("bad", math.nan, ""), Figure("worse", math.inf, ""), Figure("fine", 1, "")])
    assert list(valid(to_json(a_summary(case)))["cases"][0]["figures"]) == ["fine"]


def test_hostile_words() -> None:
    text = to_json(a_summary(Case(HOSTILE, HOSTILE, "error", HOSTILE), command=HOSTILE))
    assert text.encode("utf-8")
    assert valid(text)["cases"][0]["message"] == HOSTILE
