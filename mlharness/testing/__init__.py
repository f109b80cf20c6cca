"""The kit for plugin authors: a conformance suite for each kind of plugin, and ways to run a manifest in a test.

Subclass a suite in a test module, say what it shall look at, and pytest runs its checks::

    class TestMine(FrameworkConformance):
        framework = "mine"

        def make_model(self, folder: Path) -> Model: ...

A check that fails says what it found, what the contract asks for, and where that is written. The fixtures are in
:mod:`mlharness.testing.fixtures`, the only module here that needs pytest.
"""

from mlharness.testing.benching import run_with_loadgen, trace_with_loadgen
from mlharness.testing.datasets import DataSetConformance
from mlharness.testing.frameworks import FrameworkConformance
from mlharness.testing.layers import TracedCall, TracedLayer, layers_of
from mlharness.testing.metrics import MetricConformance
from mlharness.testing.running import InProcessRun, run_in_process
from mlharness.testing.sources import SourceConformance
from mlharness.testing.steps import StepConformance
from mlharness.testing.tracers import TracerConformance
from mlharness.testing.verdict import NonconformanceError

__all__ = [
    "DataSetConformance",
    "FrameworkConformance",
    "InProcessRun",
    "MetricConformance",
    "NonconformanceError",
    "SourceConformance",
    "StepConformance",
    "TracedCall",
    "TracedLayer",
    "TracerConformance",
    "layers_of",
    "run_in_process",
    "run_with_loadgen",
    "trace_with_loadgen",
]
