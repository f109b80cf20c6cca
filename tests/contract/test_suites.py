"""Every hook by which a plugin provides something has a conformance suite, or a reason why it needs none."""

from __future__ import annotations

from mlharness import hookspecs, testing
from mlharness.plugins import _PROVIDER_HOOKS

SUITES = {
    "mlh_register_frameworks": testing.FrameworkConformance,
    "mlh_register_datasets": testing.DataSetConformance,
    "mlh_register_steps": testing.StepConformance,
    "mlh_register_metrics": testing.MetricConformance,
    "mlh_register_sources": testing.SourceConformance,
    "mlh_register_tracers": testing.TracerConformance,
}
EXEMPT = {"mlh_register_manifests": "a folder of files, which mlh validate checks"}


def test_every_provider_hook_has_a_suite_or_is_exempt() -> None:
    registered = [hook for hook, _ in _PROVIDER_HOOKS]
    assert sorted(registered) == sorted([*SUITES, *EXEMPT]), "write the suite, or say here why none is needed"


def test_every_provider_hook_of_the_specification_is_called() -> None:
    specified = [name for name in dir(hookspecs) if name.startswith("mlh_register_")]
    assert sorted(specified) == sorted(hook for hook, _ in _PROVIDER_HOOKS)


def test_every_suite_of_the_kit_belongs_to_a_hook() -> None:
    offered = {name for name in testing.__all__ if name.endswith("Conformance")}
    assert offered == {suite.__name__ for suite in SUITES.values()}
