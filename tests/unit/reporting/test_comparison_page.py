"""The page of a comparison: verdict, fairness, intervals metric by metric, and the layers that explain it."""

from __future__ import annotations

from typing import Any

import pytest

from mlharness.comparing.comparison import compare_groups
from mlharness.comparing.groups import Group
from mlharness.reporting.comparison import comparison_page
from tests.unit.comparing.making import SCORE, a_group, in_pairs, noisy
from tests.unit.reporting.reading import HOSTILE, Read, read

pytestmark = pytest.mark.usefixtures("no_library")


def page_of(*groups: Group, anyway: bool = False, change: Any = lambda document: None) -> Read:
    document = compare_groups(groups, anyway)
    change(document)
    return read(comparison_page(document))


def test_a_difference_with_its_interval(tmp_path: Any) -> None:
    groups = in_pairs(noisy(7, 0.01, 1), noisy(7, 0.01, 2, factor=1.2))
    [comparison] = compare_groups(groups)["comparisons"]
    page = page_of(*groups)
    assert page.titles == ["verdict", "runs", "metrics", "run-by-run", "reproduce"]
    for words in ("SLOWER", "7 pairs", "95 % interval", "Fair", "lower is better"):
        assert words in page.text, words
    changes, runs = page.charts
    first = changes["data"]["values"][0]
    assert first["percent"] == pytest.approx(100 * (comparison["metrics"][0]["ratio"] - 1))
    assert first["low"] < first["percent"] < first["high"]
    values = [value for side in ("a", "b") for value in comparison["metrics"][0][side]["values"]]
    assert [1e6 * row["value"] for row in runs["data"]["values"]] == pytest.approx(values)
    _, *rows = page.rows[page.rows.index(["Metric", "A", "B", "Change", "Interval", "Could have seen", "Verdict"]) :]
    assert len(rows) == len(comparison["metrics"])
    assert rows[0][-1] == "slower"


def test_too_few_runs_have_a_change_without_an_interval() -> None:
    page = page_of(a_group("a", noisy(3, 0.01, 1)), a_group("b", noisy(3, 0.01, 2), first=20))
    assert "NOT ENOUGH DATA" in page.text
    assert "5 a side are needed" in page.text
    assert [row["low"] for row in page.charts[0]["data"]["values"]] == [None] * len(page.charts[0]["data"]["values"])


def test_an_unfair_pair_is_not_ranked_unless_asked() -> None:
    groups = (a_group("a", [1.0] * 5), a_group("b", [1.1] * 5, first=20, changes={"rules": "mlperf"}))
    page = page_of(*groups)
    assert "Not ranked, since that would be unfair" in page.text
    assert "metrics" not in page.titles
    assert [row[0] for row in page.rows if row[-1].startswith("unfair: ")] == ["rules"]
    assert page.charts == []
    anyway = page_of(*groups, anyway=True)
    assert "Unfair, and ranked all the same (--anyway)" in anyway.text
    assert "metrics" in anyway.titles
    assert "mlh compare a b --anyway" in anyway.text


def test_a_side_without_a_valid_run() -> None:
    page = page_of(
        a_group("a", [1.0] * 5), a_group("b", [1.1] * 5, first=20, changes={"status": "failed", "metric": None})
    )
    assert "NOT RANKED" in page.text
    assert "left out: " in page.text


def test_accuracy_stands_beside_the_metrics() -> None:
    sides = [a_group(name, noisy(5, 0.01, seed), first=1 + 20 * seed, score=SCORE) for seed, name in enumerate("ab")]
    rows = page_of(*sides).rows
    [accuracy] = [row for row in rows if row[0] == "top1"]
    assert accuracy[1:3] == ["90 %", "90 %"]


def test_of_three_groups_each_is_held_against_the_first() -> None:
    page = page_of(*(a_group(name, noisy(5, 0.01, place), first=1 + 10 * place) for place, name in enumerate("abc")))
    assert page.titles == ["verdict", "runs", "metrics-b-against-a", "run-by-run-b-against-a", "metrics-c-against-a",
                           "run-by-run-c-against-a", "reproduce"]  # fmt: skip


def test_conditions_are_shown_with_their_answers() -> None:
    def change(document: dict[str, Any]) -> None:
        document["checks"] = [{"condition": "slower:3%", "a": "a", "b": "b", "failed": True, "too_fine": False}]

    page = page_of(a_group("a", noisy(5, 0.01, 1)), a_group("b", noisy(5, 0.01, 2), first=20), change=change)
    assert "--fail-if slower:3% holds" in page.text


def test_layers_that_explain_the_difference() -> None:
    row = {"a": ["conv1"], "b": ["conv_1", "relu"], "type": "Conv", "shape": [1], "how": "block", "a_ns": 1000.0,
           "b_ns": 4000.0, "delta_ns": 3000.0, "share": 0.75, "explains": True}  # fmt: skip
    only = {**row, "a": [HOSTILE], "b": [], "how": "only a", "delta_ns": -500.0, "share": None, "explains": False}
    layers = {"a_ns": 2000.0, "b_ns": 6000.0, "delta_ns": 4000.0, "rows": [row, only]}

    def change(document: dict[str, Any]) -> None:
        document["comparisons"][0]["traces"] = {"runs": [1, 1], "batch": [1, 1], "missing": [], "layers": layers,
                                                "kernels": None}  # fmt: skip

    page = page_of(a_group("a", noisy(5, 0.01, 1)), a_group("b", noisy(5, 0.01, 2), first=20), change=change)
    assert "layers" in page.titles
    assert "kernels" not in page.titles
    assert ["conv1 → conv_1, relu", "Conv", "1.0 us", "4.0 us", "+3.0 us", "75.0 %", "yes", "block"] in page.rows
    assert [bar["difference"] for bar in page.charts[-1]["data"]["values"]] == [3.0, -0.5]


def test_whatever_runs_are_called_it_is_text() -> None:
    changes = {"model.name": HOSTILE, "framework.device": HOSTILE, "dataset.name": HOSTILE}
    page = page_of(a_group(HOSTILE, [1.0] * 2, changes=changes), a_group("b", [1.0] * 2, first=20))
    assert page.text.count(HOSTILE) >= 5
