"""The least that can stand between LoadGen and a predictor: what mlharness is measured against.

``python minimal_sut.py RUN LOGS``: reads the plan and LoadGen's settings of a finished mlharness run, and repeats the
test with the same predictor, samples, settings and postprocessing, written out by hand for each scenario. It checks
nothing, and reports nothing but LoadGen's logs and, in ``clocked.json``, what a sample took outside of the predictor: a
difference of microseconds can be clocked, and not be seen in latencies that vary by milliseconds. It runs with the
interpreter of the plan's environment, which has mlharness and no tests: so it is started by its path, and imports
nothing of its neighbours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import mlperf_loadgen as lg
import msgspec
import numpy as np

from mlharness.plan import RunPlan
from mlharness.plugins import build_manager
from mlharness.providers import Array
from mlharness.runner.opening import load_predictor, open_dataset
from mlharness.runner.pipeline import bind

WARMUP_S = 1.0
"""Answers before the test, about as long as mlharness warms up and calibrates."""
CLOCKED = "clocked.json"
Issue = Callable[[list[int], list[int]], None]


def main(run: Path, logs: Path) -> None:
    """Repeat one run."""
    plan = msgspec.json.decode((run / "plan.json").read_bytes(), type=RunPlan)
    told = json.loads((run / "result.json").read_text())["calibration"]["settings"]
    plugins = build_manager()
    dataset = open_dataset(plan, plugins)
    preprocess, _ = bind(plan, plugins.catalog)
    samples = [preprocess.on_sample(dataset.sample(i), i)[0] for i in range(min(len(dataset), 1024))]
    batches = [sample[None] for sample in samples]
    framework = plugins.catalog.frameworks.find(plan.framework.name).provider
    make = partial(Answer, partial(load_predictor, framework, plan), batches)
    logs.mkdir(parents=True)
    if plan.test.scenario == "SingleStream":
        answer = make()
        test(settings(told), lambda ids, indices: answer(ids[0], indices[0]), len(samples), logs)
        write_clocked([answer], logs)
        return
    threads = [ThreadPoolExecutor(1) for _ in range(plan.host.instances)]
    answers = [made.result() for made in [thread.submit(make) for thread in threads]]
    test(settings(told), shared(threads, answers), len(samples), logs)
    write_clocked(answers, logs)
    for thread in threads:  # not before the test has returned: LoadGen crashes when one that completed samples ends
        thread.shutdown()


class Answer:
    """A predictor, loaded and warmed up by the thread that will use it: called with id and index, answers a sample."""

    def __init__(self, load: Callable[[], Any], batches: list[Array]) -> None:
        predictor = load()
        self.name, self.predict, self.batches = predictor.inputs[0].name, predictor.predict, batches
        end = perf_counter() + WARMUP_S
        for number, batch in enumerate(cycle(batches)):
            self.predict({self.name: batch})
            if number >= 2 and perf_counter() > end:
                break
        self.count = self.outside_ns = 0

    def __call__(self, one: int, index: int) -> None:
        """Answer, and clock all but the predictor."""
        start = perf_counter_ns()
        batch = {self.name: self.batches[index]}
        ready = perf_counter_ns()
        outputs = self.predict(batch)
        predicted = perf_counter_ns()
        label = outputs[0].argmax(axis=-1).astype(np.float32)
        lg.QuerySamplesComplete([lg.QuerySampleResponse(one, label.ctypes.data, 4)])
        self.count += 1
        self.outside_ns += ready - start + perf_counter_ns() - predicted


def write_clocked(answers: list[Answer], logs: Path) -> None:
    """Microseconds a sample outside of the predictor."""
    outside, count = (sum(getattr(answer, what) for answer in answers) for what in ("outside_ns", "count"))
    (logs / CLOCKED).write_text(json.dumps({"us_per_sample": outside / count / 1e3}))


def shared(threads: list[ThreadPoolExecutor], answers: list[Answer]) -> Issue:
    """Offline: every predictor's thread takes the next sample of the one query."""

    def work(answer: Answer, ids: list[int], indices: list[int], places: Any) -> None:
        for place in places:  # taking the next item of a range iterator is atomic
            answer(ids[place], indices[place])

    def issue(ids: list[int], indices: list[int]) -> None:
        places = iter(range(len(ids)))
        for thread, answer in zip(threads, answers, strict=True):
            thread.submit(work, answer, ids, indices, places)

    return issue


def settings(told: dict[str, Any]) -> Any:
    """LoadGen's settings as the run had them."""
    asked = lg.TestSettings()
    for key, value in told.items():
        old = getattr(asked, key)
        setattr(asked, key, value if isinstance(old, (bool, int, float)) else getattr(type(old), value))
    return asked


def test(asked: Any, issue: Issue, count: int, logs: Path) -> None:
    """LoadGen's test."""
    log = lg.LogSettings()
    log.log_output.outdir = str(logs)
    log.enable_trace = False
    sut = lg.ConstructFastSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(count, count, lambda indices: None, lambda indices: None)
    lg.StartTestWithLogSettings(sut, qsl, asked, log)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
