"""Accuracy figures, worked out once more from LoadGen's log by code that shares nothing with mlharness."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Bench

VISION = Path(__file__).parents[2] / "plugins/mlharness-vision/src/mlharness_vision"


def logged_labels(run: Path) -> dict[int, int]:
    """Sample index to predicted class: the log's bytes are one little-endian float32 a sample."""
    entries = json.loads((run / "mlperf_log_accuracy.json").read_text("utf-8"))
    return {entry["qsl_idx"]: int(struct.unpack("<f", bytes.fromhex(entry["data"]))[0]) for entry in entries}


def test_digits(bench: Bench) -> None:
    from sklearn.datasets import load_digits

    ran = bench("digits-cnn", "--mode", "accuracy", "--json")
    assert ran.code == 0, ran.err
    truth = load_digits().target[1197:1797]
    found = logged_labels(ran.run)
    assert sorted(found) == list(range(600))
    right = sum(found[index] == label for index, label in enumerate(truth))
    accuracy = ran.document["accuracy"]
    assert accuracy["value"] == pytest.approx(100 * right / 600, abs=1e-12)
    assert accuracy["n"] == 600
    assert accuracy["interval"][0] < accuracy["value"] < accuracy["interval"][1]
    assert ran.document["metric"] is None


def test_photos(bench: Bench) -> None:
    ran = bench("efficientnet-lite0", "--mode", "accuracy", "--scenario", "Offline", "--json")
    items = yaml.safe_load((VISION / "manifests/datasets/photos.yaml").read_text("utf-8"))["options"]["items"]
    found = logged_labels(ran.run)
    right = sum(found[index] == item["label"] for index, item in enumerate(items))
    assert ran.document["accuracy"]["value"] == pytest.approx(100 * right / len(items), abs=1e-12)
    assert ran.document["accuracy"]["n"] == len(items)
    assert ran.document["accuracy"]["passed"] is None
    assert ran.code == 0


def changed_manifest(folder: Path, **changes: Any) -> str:
    """A copy of the digits model's manifest with some keys changed."""
    manifest = yaml.safe_load((VISION / "manifests/models/digits-cnn.yaml").read_text("utf-8"))
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump({**manifest, **changes}), "utf-8")
    return str(path)


def test_below_the_target_is_exit_4(bench: Bench, tmp_path: Path) -> None:
    path = changed_manifest(tmp_path, metric={"name": "top1", "target": 99.9})
    ran = bench(path, "--mode", "accuracy", "--json")
    assert ran.code == 4
    assert ran.document["status"] == "valid"
    assert ran.document["accuracy"]["passed"] is False


def test_random_weights_have_no_accuracy(bench: Bench, tmp_path: Path) -> None:
    manifest = yaml.safe_load((VISION / "manifests/models/digits-cnn.yaml").read_text("utf-8"))
    path = changed_manifest(tmp_path, model={**manifest["model"], "weights": "random"})
    assert bench(path, "--mode", "accuracy").code == 2
    ran = bench(path, "--duration", "1", "--json")
    assert ran.code == 0
    assert any("random weights" in warning for warning in ran.document["warnings"])
    assert ran.document["model"]["weights"] == "random"


OWN = """
def score(responses, label, options):
    return [options["each"] * (row[0] == label(index)) for index, row in responses.items()]
"""


def test_a_metric_of_the_manifests_own_needs_trust_and_gives_the_figure(bench: Bench, tmp_path: Path) -> None:
    metric = {
        "python": OWN, "response": {"dtype": "float32", "shape": [1]}, "unit": "%", "target": 97.0,
        "options": {"each": 100},
    }  # fmt: skip
    path = changed_manifest(tmp_path, metric=metric)
    refused = bench(path, "--mode", "accuracy")
    assert refused.code == 2
    assert "metric.python: Python that would run on this machine" in refused.err
    ran = bench(path, "--mode", "accuracy", "--trust", "--json")
    assert ran.code == 0, ran.err
    found, named = ran.document["accuracy"], bench("digits-cnn", "--mode", "accuracy", "--json").document["accuracy"]
    assert (found["metric"], found["unit"], found["n"], found["passed"]) == ("python", "%", 600, True)
    assert found["value"] == pytest.approx(named["value"], abs=1e-9)
    assert found["interval"][0] < found["value"] < found["interval"][1]


def test_a_metric_that_fails_is_a_failed_run_told_with_its_line(bench: Bench, tmp_path: Path) -> None:
    source = OWN.replace("return [", "return [1 / 0 for _ in ()] + [").replace("row[0]", "1 / 0")
    response = {"dtype": "float32", "shape": [1]}
    path = changed_manifest(tmp_path, metric={"python": source, "response": response, "options": {"each": 1}})
    ran = bench(path, "--mode", "accuracy", "--trust", "--json")
    assert ran.code == 3
    [why] = ran.document["invalid_reasons"]
    assert "score(responses, label, options) failed: ZeroDivisionError" in why
    assert why.startswith(f"{path}:")


def test_inline_python_needs_trust_once(bench: Bench, tmp_path: Path) -> None:
    source = (
        "def postprocess(ctx, data):\n"
        "    import numpy as np\n"
        "    assert len(ctx['sample_indices']) == len(data[0])\n"
        "    return [np.array([row.argmax()], np.float32) for row in data[0]]\n"
    )
    path = changed_manifest(tmp_path, postprocess=[{"python": source}])
    refused = bench(path, "--mode", "accuracy")
    assert refused.code == 2
    assert "--trust" in refused.err
    assert not refused.root.exists()
    trusted = bench(path, "--mode", "accuracy", "--trust", "--json")
    assert trusted.code == 0, trusted.err
    assert trusted.document["accuracy"]["passed"] is True
    again = bench(path, "--mode", "accuracy", "--json")
    assert again.code == 0
    changed_manifest(tmp_path, postprocess=[{"python": source + "# another file\n"}])
    assert bench(path, "--mode", "accuracy").code == 2
