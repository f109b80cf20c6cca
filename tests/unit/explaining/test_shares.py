"""Shares of time and Little's law, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.explaining.evidence import Figures, read_evidence
from mlharness.explaining.shares import little_of, shares_of
from mlharness.trace.levels import LEVELS
from tests.traces import COMPLETE, EDGE, GATHER, POSTPROCESS, make_run
from tests.unit.explaining.facts import MS, a_setup, some_calls, some_evidence

PREDICT = 2 * EDGE + 900_000
WHOLE = GATHER + PREDICT + POSTPROCESS + COMPLETE


def test_shares_of_a_latency(tmp_path: Path) -> None:
    shares = shares_of(read_evidence(make_run(tmp_path)))
    assert shares is not None
    assert (shares.of, shares.mean_ns) == ("a query's latency", WHOLE)
    assert shares["predict"] == pytest.approx(PREDICT / WHOLE)
    assert shares["postprocess"] == pytest.approx(POSTPROCESS / WHOLE)
    assert shares["harness"] == pytest.approx((GATHER + COMPLETE) / WHOLE)
    assert shares["queue"] + shares["idle"] == pytest.approx(0)


def test_the_queue_takes_its_share_and_the_rest_is_served() -> None:
    shares = shares_of(some_evidence(a_setup(scenario="Server"), waited=10 * MS))
    assert shares is not None
    assert shares.mean_ns == 20 * MS
    assert {part: shares[part] for part in shares.parts} == pytest.approx(
        {"queue": 0.5, "predict": 0.3, "postprocess": 0.1, "harness": 0.1, "idle": 0.0}
    )


def test_a_batch_counts_for_each_of_its_samples() -> None:
    calls = some_calls(2, 1, size=[1, 3], gather=0, complete=0, predict=[10, 30], postprocess=10)
    shares = shares_of(some_evidence(a_setup(scenario="Server"), calls))
    assert shares is not None
    assert shares["predict"] == pytest.approx((10 + 3 * 30) / (20 + 3 * 40))


def test_offline_they_are_shares_of_the_workers_time() -> None:
    shares = shares_of(some_evidence(calls=some_calls(count=2, between=5 * MS)))
    assert shares is not None
    assert shares.of == "the workers' time"
    # each worker: 10 ms, 5 ms of nothing, 10 ms
    assert {part: shares[part] for part in ("predict", "postprocess", "harness", "idle", "queue")} == pytest.approx(
        {"predict": 12 / 25, "postprocess": 4 / 25, "harness": 4 / 25, "idle": 5 / 25, "queue": 0.0}
    )


def test_shares_add_up(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=20, scenario="Server", interval_ns=900_000, instances=2)
    shares = shares_of(read_evidence(run))
    assert shares is not None
    assert sum(shares.parts.values()) == pytest.approx(1)


def test_without_batches_there_are_none(tmp_path: Path) -> None:
    evidence = read_evidence(make_run(tmp_path, levels=LEVELS[:1]))
    assert evidence.calls is None
    assert shares_of(evidence) is None
    assert little_of(evidence) is None


def test_littles_law(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=40, scenario="Server", interval_ns=2 * WHOLE)
    little = little_of(read_evidence(run))
    assert little is not None
    assert little.counted == pytest.approx(0.5, rel=0.03)
    assert little.expected == pytest.approx(little.counted, rel=0.03)
    assert little.holds
    assert little.utilisation == pytest.approx(0.5, rel=0.03)


def test_another_load_is_seen() -> None:
    # each of two workers always has one batch in hand: two queries in the system
    little = little_of(some_evidence(a_setup(scenario="Server"), figures=Figures(150.0, 150.0, 10 * MS)))
    assert little is not None
    assert little.expected == pytest.approx(1.5)
    assert little.counted == pytest.approx(2.0)
    assert little.holds is False
    assert little.in_service == pytest.approx(2.0)


def test_one_query_at_a_time_is_no_load_to_check() -> None:
    evidence = some_evidence(a_setup(scenario="SingleStream"), figures=Figures(150.0, 150.0, 10 * MS))
    little = little_of(evidence)
    assert little is not None
    assert little.holds is None


def test_offline_has_no_latency_to_check() -> None:
    little = little_of(some_evidence())
    assert little is not None
    assert little.holds is None
    assert little.utilisation == 1
