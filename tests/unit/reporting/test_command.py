"""The command of a plan: what differs from the defaults, in a form that a shell takes."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from mlharness.reporting.command import command_of, lines_of, name_of, written
from tests.unit.runner.making import a_plan


def words(**changes: Any) -> list[str]:
    return shlex.split(command_of(a_plan(**changes).document()))[2:]


def test_what_is_as_by_default_is_left_out() -> None:
    found = words(test={"scenario": "SingleStream"}, framework={"options": {}}, warmup=3, batching=(1, 0))
    assert found == ["/m/tiny.yaml", "--framework", "null", "--dataset", "/m/zeros.yaml", "--batch-size", "1"]


def test_everything_else_is_named() -> None:
    test = {
        "scenario": "Server", "mode": "both", "rules": "mlperf", "target_qps": 12.5, "target_latency_ns": 15_000_000,
        "duration_s": 60.0, "min_queries": 700, "seed": 7,
    }  # fmt: skip
    framework = {"options": {"fast": True, "level": 3, "none": None, "names": ["a", "b c"], "table": {"a": 1}},
                 "device": "cuda:1", "instances": 2, "threads": 4, "version": ">=1,<2"}  # fmt: skip
    host = {"model_manifest": "/x/manifests/models/zoo.yaml", "user_conf": "/my confs/user.conf"}
    found = words(test=test, framework=framework, host=host, batching=(8, 2500))
    assert found == [
        "tiny", "--framework", "null>=1,<2", "--dataset", "/m/zeros.yaml", "--scenario", "Server", "--mode", "both",
        "--rules", "mlperf", "--device", "cuda:1", "--instances", "2", "--threads", "4", "--batch-size", "8",
        "--max-wait", "2.5", "--target-qps", "12.5", "--target-latency", "15", "--duration", "60",
        "--min-queries", "700", "--seed", "7", "--warmup", "1", "--option", "fast=true", "--option", "level=3",
        "--option", "names=a,b c", "--user-conf", "/my confs/user.conf",
    ]  # fmt: skip


def test_the_command_has_a_line_for_each_option() -> None:
    plan = a_plan(host={"model_manifest": "/x/a model.yaml"}, framework={"options": {"a": "b c"}}, warmup=3).document()
    text = lines_of(plan)
    assert text.splitlines()[:2] == ["mlh bench '/x/a model.yaml' \\", "    --framework null \\"]
    assert text.splitlines()[-1] == "    --option 'a=b c'"
    assert shlex.split(text.replace("\\\n", "")) == shlex.split(command_of(plan))


def test_a_hostile_name_is_one_word() -> None:
    assert words(host={"model_manifest": "/x/$(touch y); '.yaml"})[0] == "/x/$(touch y); '.yaml"


@pytest.mark.parametrize(("value", "text"), [
    (1.0, "1"), (0.1 + 0.2, "0.30000000000000004"), (1e-7, "1e-07"), (False, "false"), (12, "12"), ("x", "x"),
])  # fmt: skip
def test_numbers_lose_nothing(value: object, text: str) -> None:
    assert written(value) == text


@pytest.mark.parametrize(("manifest", "name"), [
    ("", "m"), ("/lib/manifests/models/other.yaml", "m"), ("/home/me/models/m.yaml", "/home/me/models/m.yaml"),
    ("m.yaml", "m.yaml"),
])  # fmt: skip
def test_a_shipped_manifest_has_a_name_and_another_a_path(manifest: str, name: str) -> None:
    assert name_of("m", manifest) == name
