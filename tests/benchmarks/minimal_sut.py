"""The least that can stand between LoadGen and a predictor: what mlharness is measured against.

``python -m tests.benchmarks.minimal_sut RUN LOGS``: reads the plan and LoadGen's settings of a finished mlharness run,
and repeats the test with the same predictor, samples, settings and postprocessing, written out by hand for each
scenario. It checks nothing, counts nothing and reports nothing.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg
import msgspec
import numpy as np

from mlharness.plan import RunPlan
from mlharness.plugins import build_manager
from mlharness.runner.opening import load_predictor, open_dataset
from mlharness.runner.pipeline import bind


def main(run: Path, logs: Path) -> None:
    """Repeat one run."""
    plan = msgspec.json.decode((run / "plan.json").read_bytes(), type=RunPlan)
    told = json.loads((run / "result.json").read_text())["calibration"]["settings"]
    plugins = build_manager()
    dataset = open_dataset(plan, plugins)
    preprocess, _ = bind(plan, plugins.catalog)
    samples = [preprocess.on_sample(dataset.sample(i), i)[0] for i in range(min(len(dataset), 1024))]
    framework = plugins.catalog.frameworks.find(plan.framework.name).provider
    predictors = [load_predictor(framework, plan) for _ in range(plan.host.instances)]
    name = predictors[0].inputs[0].name
    batches = [sample[None] for sample in samples]

    def answer(predictor: Any, ids: list[int], indices: list[int]) -> None:
        for one, index in zip(ids, indices, strict=True):
            label = predictor.predict({name: batches[index]})[0].argmax(axis=-1).astype(np.float32)
            lg.QuerySamplesComplete([lg.QuerySampleResponse(one, label.ctypes.data, 4)])

    for predictor in predictors:
        for batch in batches[:3]:
            predictor.predict({name: batch})
    over = threading.Event()
    issue = inline(answer, predictors) if plan.test.scenario == "SingleStream" else split(answer, predictors, over)
    logs.mkdir(parents=True)
    test(settings(told), issue, len(samples), logs)
    over.set()


def inline(answer: Any, predictors: list[Any]) -> Any:
    """SingleStream: on LoadGen's thread."""
    return lambda ids, indices: answer(predictors[0], ids, indices)


def split(answer: Any, predictors: list[Any], over: threading.Event) -> Any:
    """Offline: an equal part of the one query for each predictor's thread, which then waits for the test's end."""

    def part(number: int, ids: list[int], indices: list[int]) -> None:
        answer(predictors[number], ids[number :: len(predictors)], indices[number :: len(predictors)])
        over.wait()

    def issue(ids: list[int], indices: list[int]) -> None:
        for number in range(len(predictors)):
            threading.Thread(target=part, args=(number, ids, indices)).start()

    return issue


def settings(told: dict[str, Any]) -> Any:
    """LoadGen's settings as the run had them."""
    asked = lg.TestSettings()
    for key, value in told.items():
        old = getattr(asked, key)
        setattr(asked, key, value if isinstance(old, (bool, int, float)) else getattr(type(old), value))
    return asked


def test(asked: Any, issue: Any, count: int, logs: Path) -> None:
    """LoadGen's test."""
    log = lg.LogSettings()
    log.log_output.outdir = str(logs)
    log.enable_trace = False
    sut = lg.ConstructFastSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(count, count, lambda indices: None, lambda indices: None)
    lg.StartTestWithLogSettings(sut, qsl, asked, log)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
