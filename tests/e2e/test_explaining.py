"""Verdicts on runs that were made to show what the rules look for, and whether what they predict comes true.

A busy machine would hide what they show, so they run alone; what is asserted leaves room for one that is a bit noisy.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlharness.resources import resource_folder
from mlharness.trace.parquet import SPANS
from tests.e2e.conftest import MLH, Bench, Ran

pytestmark = pytest.mark.alone

SHORT = ("--duration", "1", "--json")
WATCHED = ("--trace", "application,model,system")
HOLDING = """
kind: model
name: holding
version: "1.0"
description: Its postprocessing runs Python for milliseconds a sample.
license: Apache-2.0
framework: {name: "null"}
inputs: [{name: x, dtype: float32, shape: [batch, 16]}]
outputs: [{name: y, dtype: float32, shape: [batch, 1]}]
dataset: "null"
postprocess:
  - python: |
      def postprocess(ctx, data):
          for row in data[0]:
              sum(step % 7 for step in range(50_000))
          return list(data[0])
"""


@contextmanager
def one_core() -> Iterator[None]:
    """What is started meanwhile has the first of the usable cores only."""
    mask = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mask)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mask)


def verdict(ran: Ran, environment: Mapping[str, str]) -> Any:
    """What ``--explain`` says of the run."""
    command = [*MLH, "analyze", str(ran.run), "--explain", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=dict(environment))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def finding(found: Any, rule: str) -> Any:
    assert rule in {one["rule"] for one in found["findings"]}, found
    return next(one for one in found["findings"] if one["rule"] == rule)


def fact(found: Any, name: str) -> float:
    return next(float(one["value"]) for one in found["evidence"] if one["name"] == name)


def need_system(ran: Ran) -> None:
    about = ran.document["trace"]["levels"]["system"]
    if about["state"] != "recorded":
        pytest.skip(f"this machine records nothing of threads: {about['reasons']}")


def predict_ns(ran: Ran) -> float:
    """One call of the model in the measured run, by the workers' own clocks."""
    harness = ran.document["harness"]
    return 1e3 * float(harness["predict_us_per_query"] * harness["samples_per_batch"])


def rate(ran: Ran) -> float:
    """Samples a second."""
    return float(ran.document["metric"]["value"])


def test_two_instances_that_fight_for_one_core(bench: Bench, environment: Mapping[str, str]) -> None:
    offline = ("digits-cnn", "--scenario", "Offline", "--batch-size", "64", *SHORT)
    with one_core():
        fighting = bench(*offline, "--instances", "2", "--threads", "2", *WATCHED)
        need_system(fighting)
        found = finding(verdict(fighting, environment), "threads")
        alone = bench(*offline, *found["change"].split())
    assert found["change"] == "--instances 1 --threads 1"
    assert fact(found, "cores") == 1
    assert fact(found, "share of the threads' time waiting for a core") > 0.25
    assert 1.3 < found["gain"]["factor"] <= 4
    assert predict_ns(fighting) / predict_ns(alone) > 1.3, "a call takes less time, as was predicted"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two workers need two cores to wait for each other only")
def test_postprocessing_that_holds_the_interpreter(
    bench: Bench, environment: Mapping[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "holding.yaml"
    path.write_text(HOLDING, "utf-8")
    ran = bench(
        str(path), "--trust", "--scenario", "Offline", "--instances", "2", "--batch-size", "4", *SHORT, *WATCHED
    )
    need_system(ran)
    if ran.document["trace"]["levels"]["system"]["spans"] < 100:
        pytest.skip("this machine does not record when threads ran")
    found = verdict(ran, environment)
    assert found["shares"]["parts"]["postprocess"] > 0.5
    held = finding(found, "interpreter")
    assert fact(held, "share of a batch's time waiting for the interpreter") > 0.05
    assert 1.05 < held["gain"]["factor"] <= 2.2
    assert "releases the interpreter" in held["change"]
    assert {"postprocess"} <= {one["rule"] for one in found["findings"]}


def test_batches_that_are_too_small(bench: Bench, environment: Mapping[str, str]) -> None:
    offline = ("null", "--scenario", "Offline", "--instances", "1", *SHORT)
    tiny = bench(*offline, "--batch-size", "1", "--trace", "application,model")
    found = finding(verdict(tiny, environment), "batch")
    assert found["change"] == "--batch-size 8"
    assert fact(found, "share of that cost") > 0.4
    rates = {size: [rate(bench(*offline, "--batch-size", size)) for _ in range(3)] for size in ("1", "8")}
    measured = max(rates["8"]) / max(rates["1"])  # who shares the machine can only make a run slower
    assert measured > 1.2
    assert 1 / 3 < found["gain"]["factor"] / measured < 3, "what was predicted is about what came"


def test_each_level_is_measured_and_its_spans_are_kept(bench: Bench) -> None:
    ran = bench("null", "--trace", "application,model", "--leveled", *SHORT)
    assert ran.code == 0, ran.err
    schema = json.loads((resource_folder("schemas") / "result.v1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(ran.result)
    untraced, traced = ran.result["trace"]["leveled"]["sets"]
    assert (untraced["levels"], traced["levels"]) == ([], ["application", "model"])
    assert len(untraced["speeds"]) == len(traced["speeds"]) == 5
    low, high = traced["overhead"]["interval"]
    assert low <= traced["overhead"]["percent"] <= high
    assert (ran.run / traced["folder"] / SPANS).is_file()
    assert not (ran.run / "trace" / "leveled").exists()
