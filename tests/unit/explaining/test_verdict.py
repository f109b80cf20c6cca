"""The verdict as a whole: what is said of levels that are missing, and the order of findings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.explaining.rules import RULES
from mlharness.explaining.rules.rule import Fact
from mlharness.explaining.verdict import document, explain, judge, written
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS
from tests.traces import make_run
from tests.unit.explaining.facts import MS, some_calls, some_evidence


def test_what_levels_are_missing_is_said_with_the_remedy(tmp_path: Path) -> None:
    verdict = explain(make_run(tmp_path, levels=LEVELS[:2]))
    reasons = {one.rule.name: one.reason for one in verdict.silent}
    assert reasons["preemption"] == "trace with system to see it: --trace application,model,system"
    assert reasons["layers"] == "trace with framework to see it: --trace application,model,framework"


def test_why_a_level_could_not_be_recorded_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path, levels=LEVELS[:2], missing={})
    result = json.loads((run / "result.json").read_text())
    result["trace"]["levels"]["system"] = {
        "state": "broken", "spans": 0, "readings": 0, "reasons": ["linux-switches failed in begin: OSError"]
    }  # fmt: skip
    (run / "result.json").write_text(json.dumps(result))
    reasons = {one.rule.name: one.reason for one in explain(run).silent}
    assert reasons["interpreter"] == "system: linux-switches failed in begin: OSError"


def test_the_weightiest_finding_comes_first() -> None:
    verdict = judge(some_evidence(calls=some_calls(postprocess=30 * MS), slowdown_percent=50.0))
    weights = [found.weight for _, found in verdict.findings]
    assert weights == sorted(weights, reverse=True)
    assert [rule.name for rule, _ in verdict.findings][:1] == ["postprocess"]
    assert verdict.headline == "tiny on null, Offline: 79 % of the workers' time is spent in postprocess."


def test_the_document_is_plain_and_whole(tmp_path: Path) -> None:
    found = json.loads(json.dumps(document(explain(make_run(tmp_path)))))
    assert {one["rule"] for one in found["findings"]} >= {"layers", "cores", "tracing"}
    assert all((one["gain"] is None) == bool(one["no_gain"]) for one in found["findings"])
    assert found["little"]["holds"] is None, "queries come one at a time"
    assert sum(found["shares"]["parts"].values()) == pytest.approx(1)


def test_a_run_without_a_trace_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / SPANS).unlink()
    with pytest.raises(UserError, match="has no trace"):
        explain(run)


def test_rules_have_names_of_their_own() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(set(rule.needs) <= set(LEVELS) for rule in RULES)


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (Fact("share", 0.123, "share"), "share: 12 %"),
        (Fact("wait", 1_234_000, "ns"), "wait: 1.23 ms"),
        (Fact("speed", 5e9, "FLOP/s"), "speed: 5 GFLOP/s"),
        (Fact("cores", 2), "cores: 2"),
    ],
)
def test_facts_are_written_for_people(fact: Fact, text: str) -> None:
    assert written(fact) == text
