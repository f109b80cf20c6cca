"""A linear model of a table, benchmarked from each format: the same accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from files import write_csv, write_folder, write_jsonl, write_parquet
from onnx import TensorProto, helper, numpy_helper

from mlharness.errors import UserError
from mlharness.testing import run_in_process, run_with_loadgen

pytest_plugins = ["mlharness.testing.fixtures"]

WEIGHTS = np.array([[1.5], [-2.0], [0.5]], np.float32)
FORMATS = ("csv", "jsonl", "parquet", "folder")
MODEL = """
kind: model
name: linear
version: "1.0"
framework: {name: onnxruntime}
model: {files: [linear.onnx]}
dataset: ./DATASET.yaml
postprocess: [{tensor.reshape: {shape: [1]}}]
metric: {name: auc}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model, and 200 rows of three features and a noisy label in every format."""
    folder = tmp_path_factory.mktemp("linear")
    onnx.save(linear_model(), folder / "linear.onnx")
    rng = np.random.default_rng(2)
    features = rng.integers(-8, 8, (200, 3)) / 4
    labels = (features @ WEIGHTS[:, 0] + rng.normal(0, 2, 200) > 0).astype(int)
    rows: list[dict[str, Any]] = [
        {"a": float(a), "b": float(b), "c": float(c), "clicked": int(label)}
        for (a, b, c), label in zip(features, labels, strict=True)
    ]
    for form, write in zip(FORMATS, (write_csv, write_jsonl, write_parquet, write_folder), strict=True):
        write(folder / f"rows.{form}", rows)
        provider = "huggingface" if form == "folder" else "records"
        name = "folder" if form == "folder" else "file"
        (folder / f"{form}.yaml").write_text(
            f'kind: dataset\nname: {form}\nversion: "1.0"\nprovider: {provider}\noptions:\n  {name}: rows.{form}\n'
            "  columns: [[a, b, c]]\n  dtypes: [float32]\n  label: clicked\n",
            "utf-8",
        )
        (folder / f"linear-{form}.yaml").write_text(MODEL.replace("DATASET", form), "utf-8")
    return folder


def linear_model() -> Any:
    """float32 [n, 3] -> [n, 1], a score between 0 and 1."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 3), ("y", 1))]
    graph = helper.make_graph(nodes, "linear", ends[:1], ends[1:], [numpy_helper.from_array(WEIGHTS, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_every_format_gives_the_same_accuracy(folder: Path) -> None:
    runs = [run_in_process(folder / f"linear-{form}.yaml") for form in FORMATS]
    scores = [run.score() for run in runs]
    assert {run.responses[7] for run in runs} == {runs[0].responses[7]}
    assert len({repr(score) for score in scores}) == 1
    assert 80 < scores[0].value < 95


def test_it_runs_through_loadgen(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLH_DATA_DIR", str(tmp_path / "data"))
    manifest = folder / "linear-jsonl.yaml"
    result = run_with_loadgen(manifest, tmp_path, mode="accuracy")
    expected = run_in_process(manifest).score()
    assert result["status"] == "valid"
    assert result["accuracy"]["value"] == pytest.approx(expected.value)
    assert result["accuracy"]["n"] == 200


def test_a_wrong_row_ends_it_with_file_and_line(folder: Path, tmp_path: Path) -> None:
    for name in ("linear.onnx", "linear-csv.yaml", "csv.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "rows.csv").write_text("a,b,c,clicked\n1,2,3,0\n1,2,oops,1\n", "utf-8")
    with pytest.raises(UserError, match=r"csv\.yaml:\d+.*rows\.csv:3: column 'c' holds 'oops'"):
        run_in_process(tmp_path / "linear-csv.yaml")
