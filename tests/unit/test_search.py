"""The search for Server's rate, against simulated servers whose limit is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlharness.measuring import Measured
from mlharness.runner.job import Calibration
from mlharness.search import BACK_OFF, CONFIRMATIONS, HOPELESS_SHARE, MAX_TRIALS, PRECISION, find_rate
from tests.unit.runner.measurements import a_measured

Verdict = Callable[[float], bool]


class FakeServer:
    """Gives a verdict on each rate; the runner's own first guess is ``guess``, half of the calibrated throughput."""

    def __init__(self, trial: Verdict, confirm: Verdict | None = None, guess: float = 100.0) -> None:
        self.trials: list[tuple[float, Calibration | None]] = []
        self.confirmed: list[float] = []
        self._trial, self._confirm, self._guess = trial, confirm or trial, guess

    def trial(self, rate: float | None, calibration: Calibration | None) -> Measured:
        real = self._guess if rate is None else rate
        self.trials.append((real, calibration))
        return self._measured(real, self._trial(real))

    def confirm(self, rate: float, calibration: Calibration) -> Measured:
        self.confirmed.append(rate)
        return self._measured(rate, self._confirm(rate))

    def find(self) -> Measured:
        return find_rate(self.trial, self.confirm)[0]

    def _measured(self, rate: float, valid: bool) -> Measured:
        verdict = "VALID" if valid else "INVALID"
        return a_measured(Path("none"), rate=rate, throughput=2 * self._guess, result_validity=verdict)


def rate_of(measured: Measured) -> float:
    return float(measured.settings["server_target_qps"])


@settings(deadline=None)
@given(st.floats(1.0, 10_000.0), st.floats(1.0, 10_000.0))
def test_a_server_with_a_sharp_limit_is_found_closely(limit: float, guess: float) -> None:
    server = FakeServer(lambda rate: rate <= limit, guess=guess)
    found = server.find()
    assert len(server.trials) <= MAX_TRIALS
    assert rate_of(found) <= limit or not found.log.valid
    if 4 * HOPELESS_SHARE < limit / guess < 20:
        assert limit / PRECISION <= rate_of(found) <= limit
        assert found.log.valid


def test_the_first_trial_is_the_runners_guess_and_calibrates_the_others() -> None:
    server = FakeServer(lambda rate: rate <= 300)
    server.find()
    assert server.trials[0] == (100.0, None)
    assert {calibration for _, calibration in server.trials[1:]} == {Calibration(2000, 200.0)}


def test_a_server_that_nothing_stops() -> None:
    server = FakeServer(lambda rate: True)
    found = server.find()
    rates = [rate for rate, _ in server.trials]
    assert len(rates) == MAX_TRIALS
    assert rates == sorted(rates)
    assert server.confirmed == [max(rates)]
    assert found.log.valid


def test_a_server_that_never_manages_is_not_tried_for_ever() -> None:
    """Where samples hardly wait for each other the limit is out of reach: no full run shows more than a trial."""
    server = FakeServer(lambda rate: False, guess=100.0)
    found = server.find()
    rates = [rate for rate, _ in server.trials]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < HOPELESS_SHARE * 200 <= rates[-2]
    assert server.confirmed == []
    assert rate_of(found) == rates[-1]
    assert not found.log.valid


def test_a_confirmation_that_fails_backs_off_and_ends() -> None:
    server = FakeServer(lambda rate: rate <= 300, lambda rate: False)
    found = server.find()
    highest = server.confirmed[0]
    assert server.confirmed == pytest.approx([highest * BACK_OFF**step for step in range(CONFIRMATIONS)])
    assert not found.log.valid
    assert rate_of(found) == server.confirmed[-1]


def test_what_lasts_is_lower_than_what_a_short_trial_stands() -> None:
    server = FakeServer(lambda rate: rate <= 300, lambda rate: rate <= 290 * BACK_OFF)
    found = server.find()
    assert found.log.valid
    assert len(server.confirmed) > 1
    assert rate_of(found) == server.confirmed[-1] <= 290 * BACK_OFF


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_noise_near_the_limit(seed: int) -> None:
    noise = random.Random(seed)  # noqa: S311  # a simulation

    def verdict(rate: float) -> bool:
        return rate <= 300 * noise.uniform(0.8, 1.2)

    server = FakeServer(verdict)
    found = server.find()
    assert len(server.trials) <= MAX_TRIALS
    assert 1 <= len(server.confirmed) <= CONFIRMATIONS
    assert 300 * 0.8 * BACK_OFF**CONFIRMATIONS / 1.5 <= rate_of(found) <= 300 * 1.2


def test_every_trial_is_recorded_with_its_purpose() -> None:
    server = FakeServer(lambda rate: rate <= 300)
    measured, trials = find_rate(server.trial, server.confirm)
    assert [trial["target_qps"] for trial in trials] == [rate for rate, _ in server.trials] + server.confirmed
    assert [trial["purpose"] for trial in trials] == ["trial"] * len(server.trials) + ["confirmation"]
    assert [trial["valid"] for trial in trials] == [trial["target_qps"] <= 300 for trial in trials]
    assert trials[0]["p99_latency_ns"] == 2000
    assert measured.log.valid
