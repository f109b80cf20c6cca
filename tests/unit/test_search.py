"""The search for Server's rate, against simulated servers whose limit is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.measuring import Measured
from mlharness.runner.job import Calibration
from mlharness.search import (
    BACK_OFF,
    CONFIRMATIONS,
    HOPELESS_SHARE,
    MAX_TRIALS,
    PATIENCE_S,
    PRECISION,
    SEARCH_LIMIT_S,
    TRIAL_LIMIT_S,
    Found,
    find_rate,
    passed,
    trial_seconds,
)
from tests.unit.runner.measurements import a_measured

Verdict = Callable[[float], bool]


class FakeServer:
    """Gives a verdict on each rate; the runner's own first guess is ``guess``, half of the calibrated throughput.

    Its clock goes on with each test: by the queries' schedule, and by ``overhead_s`` for the runner.
    """

    def __init__(
        self,
        trial: Verdict,
        confirm: Verdict | None = None,
        guess: float = 1000.0,
        overhead_s: float = 0.0,
        alone_ns: int = 2000,
    ) -> None:
        self.trials: list[tuple[float, Calibration | None]] = []
        self.confirmed: list[float] = []
        self.now = 0.0
        self._trial, self._confirm, self._guess = trial, confirm or trial, guess
        self._overhead_s, self._alone_ns = overhead_s, alone_ns

    def trial(self, rate: float | None, calibration: Calibration | None) -> Measured:
        real = self._guess if rate is None else rate
        self.trials.append((real, calibration))
        return self._measured(real, self._trial(real), real * trial_seconds(rate))

    def confirm(self, rate: float, calibration: Calibration) -> Measured:
        self.confirmed.append(rate)
        return self._measured(rate, self._confirm(rate), max(662, 10 * rate))

    def search(self, patience_s: float = PATIENCE_S) -> Found:
        return find_rate(self.trial, self.confirm, patience_s, lambda: self.now)

    def find(self) -> Measured:
        return self.search().measured

    def _measured(self, rate: float, in_time: bool, queries: float) -> Measured:
        self.now += queries / min(rate, 2 * self._guess) + self._overhead_s
        valid = in_time and queries >= 459
        return a_measured(
            Path("none"),
            rate=rate,
            throughput=2 * self._guess,
            alone_ns=self._alone_ns,
            result_validity="VALID" if valid else "INVALID",
            result_perf_constraints_met=in_time,
            early_stopping_met=valid,
            result_query_count=int(queries),
        )


def rate_of(measured: Measured) -> float:
    return float(measured.settings["server_target_qps"])


@given(st.floats(200.0, 10_000.0), st.floats(200.0, 10_000.0))
def test_a_server_with_a_sharp_limit_is_found_closely(limit: float, guess: float) -> None:
    server = FakeServer(lambda rate: rate <= limit, guess=guess)
    found = server.find()
    assert len(server.trials) <= MAX_TRIALS
    assert rate_of(found) <= limit or not found.log.valid
    if 4 * HOPELESS_SHARE < limit / guess < 2:
        assert limit / PRECISION <= rate_of(found) <= limit
        assert found.log.valid


def test_the_first_trial_is_the_runners_guess_and_calibrates_the_others() -> None:
    server = FakeServer(lambda rate: rate <= 1300)
    server.find()
    assert server.trials[0] == (1000.0, None)
    assert {calibration for _, calibration in server.trials[1:]} == {Calibration(2000, 2000.0)}


def test_a_server_that_nothing_stops() -> None:
    server = FakeServer(lambda rate: True)
    found = server.find()
    rates = [rate for rate, _ in server.trials]
    assert len(rates) <= MAX_TRIALS
    assert rates == sorted(rates)
    assert server.confirmed == [max(rates)]
    assert found.log.valid


def test_a_server_that_never_manages_is_not_tried_for_ever() -> None:
    """Where samples hardly wait for each other the limit is out of reach: no full run shows more than a trial."""
    server = FakeServer(lambda rate: False)
    found = server.search()
    rates = [rate for rate, _ in server.trials]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < HOPELESS_SHARE * 2000 <= rates[-2]
    assert server.confirmed == []
    assert rate_of(found.measured) == rates[-1]
    assert not found.measured.log.valid
    assert found.note == (
        "no rate was found: 125 queries/s are too many, and the latency limit is 15 ms (--target-latency)"
    )


def test_a_limit_that_a_query_alone_misses_needs_one_trial() -> None:
    server = FakeServer(lambda rate: False, guess=20.0, alone_ns=22_100_000)
    found = server.search()
    assert len(server.trials) == len(found.trials) == 1
    assert server.confirmed == []
    assert not found.measured.log.valid
    assert found.note == (
        "no rate was searched: a single query takes 22.1 ms, and the latency limit is 15 ms (--target-latency)"
    )


def test_a_calibration_that_was_disturbed_does_not_end_a_search_that_goes_well() -> None:
    server = FakeServer(lambda rate: rate <= 1300, alone_ns=22_100_000)
    assert server.find().log.valid


@pytest.mark.parametrize("share", [0.3, 0.55, 0.7, 0.9])
@pytest.mark.parametrize("throughput", [3.0, 20.0, 100.0, 350.0, 5000.0])
def test_a_search_takes_no_longer_than_trials_and_one_run(throughput: float, share: float) -> None:
    """Two seconds for each runner to begin, as on a host with little to do."""
    server = FakeServer(lambda rate: rate <= share * throughput, guess=throughput / 2, overhead_s=2.0)
    found = server.find()
    trials_s = SEARCH_LIMIT_S + TRIAL_LIMIT_S * 1.2 + 2
    confirmation_s = max(662 / server.confirmed[0], 10) + 2
    assert server.now <= max(trials_s + confirmation_s, PATIENCE_S + confirmation_s)
    assert found.log.valid
    assert 0.6 * share * throughput <= rate_of(found) <= share * throughput


def test_a_slow_server_that_cannot_be_confirmed_is_not_tried_again() -> None:
    server = FakeServer(lambda rate: rate <= 12, lambda rate: False, guess=10, overhead_s=2.0)
    found = server.find()
    assert len(server.confirmed) == 1
    assert not found.log.valid
    patient = FakeServer(lambda rate: rate <= 12, lambda rate: False, guess=10, overhead_s=2.0)
    patient.search(math.inf)
    assert len(patient.confirmed) == CONFIRMATIONS


@pytest.mark.parametrize(
    ("rate", "seconds"), [(None, TRIAL_LIMIT_S), (0.1, TRIAL_LIMIT_S), (20, TRIAL_LIMIT_S), (200, 3.5), (1e5, 2.0)]
)
def test_how_long_a_trial_is(rate: float | None, seconds: float) -> None:
    assert trial_seconds(rate) == seconds


@pytest.mark.parametrize(
    ("values", "good"),
    [
        ({}, True),
        ({"result_validity": "INVALID"}, True),
        ({"result_validity": "INVALID", "result_perf_constraints_met": False}, False),
        ({"result_validity": "INVALID", "result_min_duration_met": False}, False),
        ({"result_validity": "INVALID", "errors": ("overrun",)}, False),
        ({"result_validity": "INVALID", "result_query_count": 459}, False),
    ],
)
def test_a_trial_too_short_for_early_stopping_is_held_to_the_other_rules(values: dict[str, Any], good: bool) -> None:
    assert passed(a_measured(Path("none"), **values)) is good


def test_a_confirmation_that_fails_backs_off_and_ends() -> None:
    server = FakeServer(lambda rate: rate <= 1300, lambda rate: False)
    found = server.find()
    highest = server.confirmed[0]
    assert server.confirmed == pytest.approx([highest * BACK_OFF**step for step in range(CONFIRMATIONS)])
    assert not found.log.valid
    assert rate_of(found) == server.confirmed[-1]


def test_what_lasts_is_lower_than_what_a_short_trial_stands() -> None:
    server = FakeServer(lambda rate: rate <= 1300, lambda rate: rate <= 1250 * BACK_OFF)
    found = server.find()
    assert found.log.valid
    assert len(server.confirmed) > 1
    assert rate_of(found) == server.confirmed[-1] <= 1250 * BACK_OFF


@given(st.integers(0, 10_000))
def test_noise_near_the_limit(seed: int) -> None:
    noise = random.Random(seed)  # noqa: S311  # a simulation

    def verdict(rate: float) -> bool:
        return rate <= 1300 * noise.uniform(0.8, 1.2)

    server = FakeServer(verdict)
    found = server.find()
    assert len(server.trials) <= MAX_TRIALS
    assert 1 <= len(server.confirmed) <= CONFIRMATIONS
    assert 1300 * 0.8 * BACK_OFF**CONFIRMATIONS / 1.5 <= rate_of(found) <= 1300 * 1.2


def test_every_trial_is_recorded_with_its_purpose() -> None:
    server = FakeServer(lambda rate: rate <= 1300)
    found = server.search()
    trials = found.trials
    assert [trial["target_qps"] for trial in trials] == [rate for rate, _ in server.trials] + server.confirmed
    assert [trial["purpose"] for trial in trials] == ["trial"] * len(server.trials) + ["confirmation"]
    assert [trial["valid"] for trial in trials] == [trial["target_qps"] <= 1300 for trial in trials]
    assert (trials[0]["queries"], trials[0]["p99_latency_ns"]) == (5000, 2000)
    assert found.measured.log.valid
    assert found.note == ""
