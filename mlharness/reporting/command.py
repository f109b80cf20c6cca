"""What to type so that a run is made again: the options of ``mlh bench`` that give the same plan."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

Document = Mapping[str, Any]
DEFAULTS = {"scenario": "SingleStream", "mode": "performance", "rules": "quick"}
"""Of ``mlh bench``; what is as here is not written."""
WARMUP = 3


def command_of(plan: Document) -> str:
    """The command of a plan, for a shell."""
    return shlex.join(["mlh", "bench", *words_of(plan)])


def lines_of(plan: Document) -> str:
    """The same with a line for each option, as a shell takes it, too."""
    lines = ["mlh bench"]
    for word in words_of(plan):
        if word.startswith("--"):
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines)


def words_of(plan: Document) -> Iterator[str]:
    """Its arguments."""
    framework, test, host = plan["framework"], plan["test"], plan["host"]
    yield name_of(plan["model"]["name"], host["model_manifest"])
    yield from option("framework", framework["name"] + framework["version"])
    yield from option("dataset", name_of(plan["dataset"]["name"], host["dataset_manifest"]))
    for key, default in DEFAULTS.items():
        yield from option(key, test[key] if test[key] != default else None)
    yield from option("device", framework["device"] if framework["device"] != "cpu" else None)
    yield from option("instances", framework["instances"])
    yield from option("threads", framework["threads"])
    yield from option("batch-size", plan["batching"]["batch_size"])
    if test["scenario"] == "Server":
        yield from option("max-wait", plan["batching"]["max_wait_us"] / 1000)
    yield from test_words(test)
    yield from option("count", plan["dataset"]["count"])
    yield from option("warmup", plan["warmup"] if plan["warmup"] != WARMUP else None)
    for key, value in framework["options"].items():
        if value is not None and not isinstance(value, Mapping):  # a mapping can only stand in a manifest
            yield from option("option", f"{key}={written(value)}")
    yield from option("user-conf", host["user_conf"] or None)
    yield from option("audit-conf", host["audit_conf"] or None)


def test_words(test: Document) -> Iterator[str]:
    """What LoadGen was asked for."""
    limit = test["target_latency_ns"]
    yield from option("target-qps", test["target_qps"])
    yield from option("target-latency", None if limit is None else limit / 1e6)
    yield from option("duration", test["duration_s"])
    yield from option("min-queries", test["min_queries"])
    yield from option("seed", test["seed"])


def option(name: str, value: object) -> Iterator[str]:
    """An option with its value; nothing for None."""
    if value is not None:
        yield from (f"--{name}", written(value))


def written(value: object) -> str:
    """A value as a command line has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(written, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def name_of(name: str, manifest: str) -> str:
    """How a manifest is named: those that plugins ship lie in ``manifests/KIND``, others are known by their path."""
    folders = PurePath(manifest).parts[-3:-2]
    return name if not manifest or folders == ("manifests",) else manifest
