"""The verb *inspect*: what a model file and its framework say of themselves."""

from __future__ import annotations

from dataclasses import asdict

from mlharness.plugins import Plugins
from mlharness.runner.channel import PATIENT_S, Channel
from mlharness.runner.job import Job
from mlharness.runner.opening import load_predictor


def inspect(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Load the model once and send its inputs and outputs, the framework's version and its devices."""
    plan = job.need_plan()
    channel.phase("load", plan.framework.name, stall_s=PATIENT_S)
    framework = plugins.catalog.frameworks.find(plan.framework.name).provider
    predictor = load_predictor(framework, plan)
    channel.send(
        "inspected",
        inputs=[asdict(spec) for spec in predictor.inputs],
        outputs=[asdict(spec) for spec in predictor.outputs],
        version=framework.version(),
        devices=list(framework.devices()),
    )
    predictor.close()
