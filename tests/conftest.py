"""What all tests have in common."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A machine that is busy with other tests is slow, which says nothing about the code.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")

# Whoever runs the tests may have a team's store, which is not to be told of runs of tests.
os.environ.pop("MLH_STORE", None)
