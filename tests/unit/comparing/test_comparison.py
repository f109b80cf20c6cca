"""From groups of runs to the comparison document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlharness.comparing.comparison import compare_groups
from mlharness.comparing.groups import PAIR, SERIES, Group, side_label
from mlharness.comparing.verdict import parse_condition
from mlharness.errors import UserError
from mlharness.resources import resource_folder
from tests.unit.comparing.making import SCORE, a_group, a_run, in_pairs, noisy
from tests.unit.runner.making import a_metric, a_plan

GOLDEN = Path(__file__).parent / "golden.json"


def check(document: dict[str, Any]) -> dict[str, Any]:
    """The document, when it follows the schema and is JSON."""
    schema = json.loads((resource_folder("schemas") / "comparison.v1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(document, allow_nan=False)))
    return document


def only(*groups: Group, anyway: bool = False) -> dict[str, Any]:
    """The one comparison of two groups."""
    (found,) = check(compare_groups(groups, anyway))["comparisons"]
    return dict(found)


def verdicts(found: dict[str, Any]) -> set[str]:
    return {metric["verdict"] for metric in found["metrics"]}


@pytest.mark.parametrize(("factor", "verdict"), [(1.2, "slower"), (0.8, "faster"), (1.0, "no difference seen")])
def test_verdicts_on_latencies(factor: float, verdict: str) -> None:
    found = only(a_group("old", noisy(7, 0.02, 1)), a_group("new", noisy(7, 0.02, 2, factor), first=20))
    assert found["verdict"] == verdict
    assert verdicts(found) == {verdict}
    assert [metric["name"] for metric in found["metrics"]] == ["early_stopping_latency_ss", "p50", "p90", "p99"]
    figure = found["metrics"][0]
    assert figure["interval"][0] < figure["ratio"] < figure["interval"][1]
    assert figure["decides"]
    assert figure["a"]["n"] == len(figure["a"]["values"]) == 7
    assert 0 < figure["smallest"] < 0.06


def test_a_rate_is_better_when_it_is_higher() -> None:
    plan = a_plan(test={"scenario": "Offline"})
    slow = a_group("slow", noisy(6, 0.01, 1, 1.1), plan=plan)
    fast = a_group("fast", noisy(6, 0.01, 2), first=20, plan=plan)
    found = only(slow, fast)
    (figure,) = found["metrics"]  # an offline sample's latency is a place in the queue
    assert (figure["name"], figure["unit"], figure["better"]) == ("result_samples_per_second", "samples/s", "higher")
    assert figure["ratio"] > 1
    assert found["verdict"] == "faster"


def server(name: str, factors: Sequence[float], searched: bool, first: int = 1) -> Group:
    plan = a_plan(test={"scenario": "Server"})
    trials = [{"purpose": "trial", "target_qps": 1.0, "queries": 5, "valid": True, "p99_latency_ns": None}]
    return a_group(name, factors, first=first, plan=plan, trials=trials if searched else [])


def test_servers_latencies_at_rates_that_were_searched_say_nothing() -> None:
    found = only(server("a", noisy(5, 0.01, 1), True), server("b", noisy(5, 0.01, 2, 1.2), True, 20))
    assert found["metrics"][0]["name"] == "result_completed_samples_per_sec"
    assert found["verdict"] == "slower"
    assert {metric["verdict"] for metric in found["metrics"][1:]} == {"not comparable"}
    assert "searched" in found["metrics"][1]["problem"]


def test_at_a_rate_that_was_given_the_99th_percentile_decides() -> None:
    found = only(server("a", noisy(5, 0.01, 1), False), server("b", noisy(5, 0.01, 2, 1.2), False, 20))
    assert (found["metrics"][0]["name"], found["metrics"][0]["decides"]) == ("p99", True)
    assert sum(metric["decides"] for metric in found["metrics"]) == 1


@pytest.mark.parametrize(("a", "b"), [(1, 1), (4, 7), (7, 4)])
def test_too_few_runs_are_not_enough_data(a: int, b: int) -> None:
    found = only(a_group("a", noisy(a, 0.01, 1)), a_group("b", noisy(b, 0.01, 2, 2.0), first=20))
    assert found["verdict"] == "not enough data"
    assert found["metrics"][0]["ratio"] == pytest.approx(2, rel=0.05)
    assert found["metrics"][0]["interval"] is found["metrics"][0]["p"] is found["metrics"][0]["smallest"] is None


class TestPairs:
    """Runs that were recorded in turns."""

    def test_what_both_runs_of_a_pair_share_is_no_noise(self) -> None:
        minutes = noisy(7, 0.3, 1)
        a, b = in_pairs(minutes, [1.05 * factor for factor in noisy(7, 0.005, 2)])
        assert only(a, b)["verdict"] == "no difference seen"
        a, b = in_pairs(
            minutes, [1.05 * minute * factor for minute, factor in zip(minutes, noisy(7, 0.005, 2), strict=True)]
        )
        found = only(a, b)
        assert (found["design"], found["pairs"], found["verdict"]) == ("pairs", 7, "slower")
        assert found["metrics"][0]["smallest"] < 0.01

    def test_a_run_without_its_partner_is_left_out(self) -> None:
        a, b = in_pairs(noisy(6, 0.01, 1), noisy(6, 0.01, 2))
        lost = b.runs[2]
        b = Group(b.name, tuple(run for run in b.runs if run is not lost))
        found = only(a, b)
        assert (found["pairs"], found["metrics"][0]["a"]["n"]) == (5, 5)
        assert [one["run"] for one in found["without_partner"]] == [a.runs[2].id]

    @pytest.mark.parametrize(
        "labels",
        [{}, {SERIES: side_label("other", "B"), PAIR: "1"}, {SERIES: side_label("abc123", "B"), PAIR: "x"}],
    )
    def test_runs_of_other_series_are_independent(self, labels: dict[str, str]) -> None:
        a, b = in_pairs(noisy(5, 0.01, 1), noisy(5, 0.01, 2))
        stray = a_run(30, changes={"labels": labels})
        found = only(a, Group("b", (*b.runs, stray)))
        assert (found["design"], found["pairs"]) == ("independent", None)

    def test_a_number_that_two_runs_have_makes_no_pair(self) -> None:
        a, b = in_pairs(noisy(5, 0.01, 1), noisy(5, 0.01, 2))
        twin = a_run(30, changes={"labels": dict(b.runs[0].result["labels"])})
        assert only(a, Group("b", (*b.runs, twin)))["design"] == "independent"


class TestUnfair:
    """Pairs that are refused, or ranked since somebody insisted."""

    def unfair(self) -> tuple[Group, Group]:
        other = {"dataset.name": "ones"}
        return a_group("a", noisy(5, 0.01, 1)), a_group("b", noisy(5, 0.01, 2, 2.0), first=20, changes=other)

    def test_an_unfair_pair_is_not_ranked(self) -> None:
        found = only(*self.unfair())
        assert (found["ranked"], found["verdict"], found["metrics"]) == (False, "not ranked", [])
        assert found["unfair"] == ["data: other data (data set)"]
        assert found["differences"][0]["unfair"]

    def test_unless_somebody_insists(self) -> None:
        found = only(*self.unfair(), anyway=True)
        assert (found["ranked"], found["anyway"], found["verdict"]) == (True, True, "slower")
        assert found["unfair"]

    def test_anyway_is_no_remark_on_a_fair_pair(self) -> None:
        assert not only(a_group("a", [1, 1]), a_group("b", [1, 1], first=20), anyway=True)["anyway"]

    def test_figures_of_two_scenarios_have_no_ratio_even_so(self) -> None:
        offline = a_group("b", noisy(5, 0.01, 2), first=20, plan=a_plan(test={"scenario": "Offline"}))
        found = only(a_group("a", noisy(5, 0.01, 1)), offline, anyway=True)
        assert found["verdict"] == "not comparable"
        assert found["metrics"][0]["ratio"] is None

    def test_a_group_of_different_things_is_no_group(self) -> None:
        mixed = Group("mixed", (a_run(1), a_run(2, changes={"framework.threads": 2})))
        found = only(mixed, a_group("b", [1, 1], first=20))
        assert not found["ranked"]
        assert found["unfair"] == [
            f"mixed: its runs differ in settings (threads): {mixed.runs[0].id} and {mixed.runs[1].id}"
        ]


def test_only_valid_runs_count() -> None:
    bad = [
        a_run(40 + place, 9.0, {"status": status, "invalid_reasons": [f"it is {status}"]})
        for place, status in enumerate(("invalid", "failed", "interrupted"))
    ]
    a = a_group("a", noisy(5, 0.01, 1))
    document = check(compare_groups([Group("a", (*a.runs, *bad)), a_group("b", noisy(5, 0.01, 2), first=20)]))
    group = document["groups"][0]
    assert group["runs"] == [run.id for run in a.runs]
    assert [one["reason"] for one in group["left_out"]] == [
        "invalid: it is invalid", "failed: it is failed", "interrupted: it is interrupted",
    ]  # fmt: skip
    assert document["comparisons"][0]["verdict"] == "no difference seen"


def test_a_group_without_a_valid_run_is_not_ranked() -> None:
    found = only(a_group("a", [1]), a_group("b", [1], first=20, changes={"status": "failed"}))
    assert (found["ranked"], found["verdict"], found["unfair"]) == (False, "not ranked", [])


def test_several_groups_share_the_confidence() -> None:
    groups = [a_group(name, noisy(5, 0.02, place), first=1 + 10 * place) for place, name in enumerate("abcd")]
    document = check(compare_groups(groups))
    assert [found["b"] for found in document["comparisons"]] == ["b", "c", "d"]
    assert [found["confidence"] for found in document["comparisons"]] == pytest.approx([1 - 0.05 / 3] * 3)
    assert any("98.33 %" in note for note in document["comparisons"][0]["notes"])


def test_a_run_is_not_compared_with_itself() -> None:
    with pytest.raises(UserError, match="both hold run"):
        compare_groups([a_group("a", [1, 1]), a_group("b", [1, 1])])
    with pytest.raises(UserError, match="nothing to compare"):
        compare_groups([a_group("a", [1, 1])])


def test_a_figure_of_nothing_has_no_ratio() -> None:
    zero = a_group("b", [1.0] * 5, first=20, changes={"latency_ns.p50": 0.0})
    found = {metric["name"]: metric for metric in only(a_group("a", [1.0] * 5), zero)["metrics"]}
    assert found["p50"]["problem"] == "a value is not positive"
    assert found["p90"]["verdict"] == "no difference seen"


def test_what_a_reader_must_know() -> None:
    poor = {"quality": {"grade": "D", "reasons": [], "stretches": [], "samples": 1}, "model.weights": "random"}
    a, b = (a_group(name, noisy(5, 0.02, first), first=first, changes=poor) for name, first in (("a", 1), ("b", 20)))
    found = only(a, b)["notes"]
    assert [note.partition(":")[0] for note in found] == [
        "10 of 10 runs have quality C or D", "random weights", "one side was made after the other",
    ]  # fmt: skip


def test_in_turns_no_side_was_made_after_the_other() -> None:
    a = a_group("a", noisy(5, 0.02, 1), first=1, step=2)
    b = a_group("b", noisy(5, 0.02, 2), first=2, step=2)
    assert only(a, b)["notes"] == []


class TestAccuracy:
    """Accuracies are held against each other by the intervals of their results."""

    def group(self, name: str, first: int, value: float, half: float | None = 2.0, higher: bool = True) -> Group:
        plan = a_plan(test={"scenario": "SingleStream", "mode": "both"}, metric=a_metric(higher_is_better=higher))
        score = {**SCORE, "value": value, "interval": None if half is None else [value - half, value + half]}
        return a_group(name, noisy(5, 0.01, first), first=first, plan=plan, score=score)

    @pytest.mark.parametrize(
        ("value", "higher", "verdict"),
        [(90.5, True, "no difference seen"), (80.0, True, "worse"), (99.0, True, "better"), (80.0, False, "better")],
    )
    def test_verdicts(self, value: float, higher: bool, verdict: str) -> None:
        found = only(self.group("a", 1, 90.0, higher=higher), self.group("b", 20, value, higher=higher))["accuracy"]
        assert found["verdict"] == verdict
        assert found["difference"] == pytest.approx(value - 90)
        assert found["interval"] == pytest.approx([value - 90 - 8**0.5, value - 90 + 8**0.5])
        assert found["smallest"] == pytest.approx(8**0.5 / 1.96 * 2.8, rel=0.01)

    def test_without_an_interval_there_is_no_answer(self) -> None:
        found = only(self.group("a", 1, 90.0), self.group("b", 20, 80.0, None))["accuracy"]
        assert (found["verdict"], found["interval"]) == ("not enough data", None)

    def test_accuracy_alone_decides_when_there_is_no_figure(self) -> None:
        groups = [self.group("a", 1, 90.0), self.group("b", 20, 80.0)]
        for run in (*groups[0].runs, *groups[1].runs):
            run.result.update(metric=None, latency_ns=None)  # type: ignore[attr-defined]  # a dict, made for this test
        found = only(*groups)
        assert (found["metrics"], found["verdict"]) == ([], "worse")


class TestConditions:
    """``--fail-if``."""

    def comparison(self, factor: float, runs: int = 7) -> dict[str, Any]:
        return only(a_group("a", noisy(runs, 0.005, 1)), a_group("b", noisy(runs, 0.005, 2, factor), first=20))

    @pytest.mark.parametrize(
        ("factor", "condition", "holds"),
        [
            (1.05, "slower:3%", True),
            (1.05, "p99:slower:3 %", True),
            (1.05, "slower:8%", False),
            (1.05, "faster:3%", False),
            (0.95, "slower:3%", False),
            (0.95, "FASTER:3%", True),
            (1.0, "slower:0%", False),
        ],
    )
    def test_what_holds(self, factor: float, condition: str, holds: bool) -> None:
        assert parse_condition(condition).holds(self.comparison(factor)) is holds

    def test_a_slower_rate_is_a_lower_one(self) -> None:
        plan = a_plan(test={"scenario": "Offline"})
        a = a_group("a", noisy(5, 0.001, 1), plan=plan)
        found = only(a, a_group("b", noisy(5, 0.001, 2, 1 / 0.95), first=20, plan=plan))
        assert parse_condition("slower:4.5%").holds(found)
        assert not parse_condition("slower:5.5%").holds(found)

    def test_a_condition_that_so_few_runs_cannot_see(self) -> None:
        found = self.comparison(1.0)
        assert parse_condition("slower:0.1%").too_fine(found)
        assert not parse_condition("slower:10%").too_fine(found)

    @pytest.mark.parametrize("text", ["slower", "slower:3", "slower:-3%", "3%", ":slower:3%", "slow:3%", "slower:x%"])
    def test_no_conditions(self, text: str) -> None:
        with pytest.raises(UserError, match="--fail-if"):
            parse_condition(text)

    def test_no_answer_is_no_pass(self) -> None:
        with pytest.raises(UserError, match="5 a side are needed"):
            parse_condition("slower:3%").holds(self.comparison(2.0, runs=4))
        with pytest.raises(UserError, match="no metric is called 'p98'"):
            parse_condition("p98:slower:3%").holds(self.comparison(1.0))
        with pytest.raises(UserError, match="no figure to compare"):
            parse_condition("slower:3%").holds({**self.comparison(1.0), "metrics": []})


def golden() -> dict[str, Any]:
    """A comparison with everything in it: pairs, a run that failed, differences, three groups."""
    a, b = in_pairs(noisy(6, 0.02, 1), noisy(6, 0.02, 2, 1.1))
    failed = a_run(
        40, changes={"status": "failed", "invalid_reasons": ["boom"], "labels": dict(a.runs[0].result["labels"])}
    )
    threads = {"framework.threads": 2, "system.host": "south"}
    other = a_group("third", noisy(5, 0.02, 3), first=50, changes=threads)
    document = compare_groups([a, Group(b.name, (*b.runs, failed)), other])
    return dict(json.loads(json.dumps(document), parse_float=lambda text: round(float(text), 9)))


def test_the_golden_document() -> None:
    """Whoever changes the document changes this file: ``python -m tests.unit.comparing.test_comparison`` writes it."""
    found, kept = golden(), json.loads(GOLDEN.read_text("utf-8"))
    check(found)
    assert flat(found) == pytest.approx(flat(kept), rel=1e-6)
    assert json.dumps(found, default=str).translate(_NO_DIGITS) == json.dumps(kept).translate(_NO_DIGITS)


_NO_DIGITS = {ord(digit): None for digit in "0123456789.e-"}


def flat(node: Any) -> list[float]:
    """Every number of a document, in order."""
    if isinstance(node, dict):
        return [number for value in node.values() for number in flat(value)]
    if isinstance(node, list):
        return [number for value in node for number in flat(value)]
    return [float(node)] if isinstance(node, (int, float)) else []


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", "utf-8")
