"""The verb *inspect*: what a model file and its framework say of themselves; without a plan, frameworks alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mlharness.plugins import Plugins
from mlharness.providers import FrameworkProvider
from mlharness.runner.channel import PATIENT_S, Channel
from mlharness.runner.job import Job
from mlharness.runner.opening import load_predictor


def inspect(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Load the model once and send its inputs and outputs, the framework's version and its devices.

    With ``outputs``: the model's answers to samples instead. Without a plan: whether LoadGen can be imported, and
    version and devices of every framework that is not blocked.
    """
    if job.plan is None:
        inspect_frameworks(plugins, channel)
        return
    if job.outputs:
        from mlharness.runner.outputs import write_outputs  # LoadGen's types come with it

        write_outputs(job, plugins, channel)
        return
    plan = job.plan
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


def inspect_frameworks(plugins: Plugins, channel: Channel) -> None:
    """One message ``loadgen`` with an error or None, then one ``framework`` for each, as soon as it is known."""
    channel.send("loadgen", error=loadgen_error())
    for entry in plugins.catalog.frameworks:
        channel.phase("load", entry.name, stall_s=PATIENT_S)
        channel.send("framework", name=entry.name, plugin=entry.plugin, **describe_framework(entry.provider))


def describe_framework(framework: FrameworkProvider) -> dict[str, Any]:
    """``version``, ``devices`` and ``error`` of a framework; the error is None when it can be used."""
    try:
        return {"version": framework.version(), "devices": list(framework.devices()), "error": None}
    except Exception as error:  # noqa: BLE001  # what a broken framework raises is the very thing that is asked
        return {"version": None, "devices": [], "error": f"{type(error).__name__}: {error}"}


def loadgen_error() -> str | None:
    """Why LoadGen cannot be imported; None when it can."""
    try:
        from mlharness.runner import loadgen  # noqa: F401  # only whether it can be imported is asked
    except ImportError as error:
        return str(error)
    return None
