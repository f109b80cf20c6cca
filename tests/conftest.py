"""What all tests have in common."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with other tests is slow, which says nothing about the code.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")

# Whoever runs the tests may have a team's store, which is not to be told of runs of tests.
os.environ.pop("MLH_STORE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--full``, of ``nox -s soak``."""
    parser.addoption(
        "--full", action="store_true", help="tests marked `counted` do what they do as often as is promised"
    )


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether a test that is marked ``counted`` is to make the whole of its count, and not just some of it."""
    return bool(request.config.getoption("--full"))
