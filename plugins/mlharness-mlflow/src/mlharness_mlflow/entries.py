"""What of a run MLflow gets: parameters, metrics and tags, by names and within lengths that it takes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
RUN_ID = "mlharness.run_id"
LONGEST_PARAM = 6000
LONGEST_TAG = 5000
LONGEST_KEY = 250
_FORBIDDEN = re.compile(r"[^\w.\- :/]")
_STATUS = {"valid": "FINISHED", "interrupted": "KILLED"}
_RESULT_KEYS = ("scenario", "mode", "rules")
_FRAMEWORK_KEYS = ("version", "device", "instances", "threads", "batch_size", "max_wait_us")


def mlflow_status(result: Document) -> str:
    """FINISHED is a valid run alone: an INVALID one has no figure to rely on."""
    return _STATUS.get(result["status"], "FAILED")


def params(result: Document, plan: Document) -> dict[str, str]:
    """What was asked for and how it was set; nothing that was left open."""
    model, framework, dataset = result["model"], result["framework"], result["dataset"]
    found: dict[str, Any] = {key: result[key] for key in _RESULT_KEYS}
    found |= {"model": model["name"], "model.version": model["version"], "model.weights": model["weights"]}
    found |= {"framework": framework["name"], **{f"framework.{key}": framework[key] for key in _FRAMEWORK_KEYS}}
    found |= {f"option.{key}": value for key, value in framework["options"].items()}
    found |= {"dataset": dataset["name"], "dataset.count": dataset["count"]}
    found |= {f"test.{key}": value for key, value in plan.get("test", {}).items() if key not in _RESULT_KEYS}
    left = {key: value for key, value in found.items() if value not in (None, "", {})}
    return {key_of(key): str(value)[:LONGEST_PARAM] for key, value in left.items()}


def metrics(result: Document) -> dict[str, float]:
    """The figures; a failed run has none."""
    found = {key_of(name): float(value) for name, value in _metrics(result) if value is not None}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _metrics(result: Document) -> Iterator[tuple[str, float | None]]:
    if result["metric"]:
        yield result["metric"]["name"], result["metric"]["value"]
    for name, value in (result["latency_ns"] or {}).items():
        yield f"latency_{name}_ns", value
    for name in ("samples", "queries", "duration_s", "errors"):
        yield name, result[name]
    score = result["accuracy"]
    if score:
        yield f"accuracy.{score['metric']}", score["value"]
        yield from ((f"accuracy.{score['metric']}.{name}", value) for name, value in score["details"].items())
    for name in ("us_per_query", "null_floor_us"):
        yield f"harness.{name}", result["harness"][name]


def tags(result: Document) -> dict[str, str]:
    """What a run is found by, and what must be read with its figures."""
    framework, system = result["framework"], result["system"]
    found = {
        RUN_ID: result["run_id"],
        "mlharness.status": result["status"],
        "mlharness.rules": result["rules"],
        "mlharness.unverified": result["unverified"],
        "mlharness.plan_sha256": result["plan_sha256"],
        "mlharness.manifest_sha256": result["model"]["manifest_sha256"],
        "mlharness.fingerprint": (result["fingerprint"] or {}).get("sha256"),
        "mlharness.quality": result["quality"]["grade"] if result["quality"] else None,
        "mlharness.framework": " ".join(filter(None, (framework["name"], framework["version"]))),
        "mlharness.plugin": framework["plugin"],
        "mlharness.host": system.get("host"),
        "mlharness.cpu": system.get("cpu"),
        "mlflow.runName": result["run_id"],
        "mlflow.note.content": note(result),
    }
    found |= {f"label.{key}": value for key, value in result["labels"].items()}
    return {key_of(key): str(value)[:LONGEST_TAG] for key, value in found.items() if value}


def note(result: Document) -> str:
    """What MLflow shows above everything else: the verdict, why, and the warnings."""
    verdict = result["status"].upper() + (" (quick)" if result["rules"] == "quick" else "")
    unverified = [result["unverified"]] if result["unverified"] else []
    warnings = [f"Warning: {text}" for text in result["warnings"]]
    return "\n\n".join([verdict, *unverified, *result["invalid_reasons"], *warnings])


def key_of(name: str) -> str:
    """A key that MLflow takes: others' characters become underscores, and no part of a path is ``.`` or ``..``."""
    plain = _FORBIDDEN.sub("_", name)[:LONGEST_KEY]
    return "/".join("_" if part in ("", ".", "..") else part for part in plain.split("/"))
