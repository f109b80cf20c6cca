"""What all tests have in common."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that is busy with other tests is slow, which says nothing about the code.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")
