"""What a model answers to the first samples of its data set, without postprocessing: one array per output."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mlharness.plugins import Plugins
from mlharness.providers import Array
from mlharness.runner.channel import Channel
from mlharness.runner.job import Job
from mlharness.runner.measure import Measurement
from mlharness.runner.worker import Worker, check_outputs, takes_one
from mlharness.tensors import fixed_batch


def write_outputs(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Load the plan's model as a test does, answer the samples one by one, and write ``job.outputs``.

    The message ``answered`` names the outputs and says how many samples there are, and how large the model is.
    """
    work = Measurement(job, plugins, channel)
    work.load()
    indices = range(min(job.samples, len(work.dataset)))
    channel.phase("samples", f"{len(indices)} samples", total=len(indices))
    work.library.load(indices)
    work.executor.each(Worker.library_changed)
    channel.phase("predict", f"{len(indices)} samples")
    rows = work.executor.first(partial(answer, indices=indices))
    complexity = work.executor.first(partial(Worker.complexity, measure=work.framework.complexity))
    names = [spec.name for spec in work.executor.workers[0].outputs]
    work.executor.close()
    np.savez(job.outputs, *(np.concatenate(column) for column in zip(*rows, strict=True)))
    channel.send(
        "answered",
        names=names,
        samples=len(indices),
        framework_version=work.framework.version(),
        parameters=complexity and complexity.parameters,
        multiply_adds=complexity and complexity.multiply_adds,
    )


def answer(worker: Worker, indices: Sequence[int]) -> list[list[Array]]:
    """The first row of each output, for each sample; a model with a fixed batch gets the sample several times.

    Raises RunError when outputs are not what the predictor declares.
    """
    size = fixed_batch(worker.inputs[0]) or 1
    rows = []
    for index in indices:
        outputs = worker.outputs_of([index] * size)
        check_outputs(outputs, worker.outputs, (), size, takes_one(worker.inputs))
        rows.append([output[:1].copy() for output in outputs])
    return rows
