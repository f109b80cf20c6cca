"""MLPerf's BERT: the manifests, our network against transformers', and runs of stand-ins with the same interface."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import DATA
from making import save_stand_in
from mlharness_language import plugin

MANIFESTS = Path(plugin.__file__).parent / "manifests" / "models"
STAND_INS = {
    "mlperf-bert": ("input_ids", "input_mask", "segment_ids"),
    "mlperf-bert-int8": ("input_ids", "attention_mask", "token_type_ids"),
}
OUTPUTS = ("output_start_logits", "output_end_logits")
OFFICIAL = {"exact_match": 0.0, "f1": 1.8306636155606406}
"""What accuracy-squad.py of mlcommons/inference (language/bert) printed for the log of the stand-in's accuracy run."""


def read(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((MANIFESTS / f"{name}.yaml").read_text("utf-8"))
    return manifest


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str], str]:
    """The path of a manifest like the shipped one, with a stand-in's file in the place of MLPerf's."""

    def write(name: str) -> str:
        save_stand_in(tmp_path / "model.onnx", STAND_INS[name], OUTPUTS)
        manifest = {key: value for key, value in read(name).items() if key != "frameworks"}
        manifest["model"] = {"files": ["model.onnx"]}
        del manifest["metric"]["target"], manifest["mlperf"]["performance_sample_count"]
        (tmp_path / "stand-in.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
        return str(tmp_path / "stand-in.yaml")

    return write


@pytest.mark.parametrize("name", sorted(STAND_INS))
def test_the_manifest_names_mlperfs_files_inputs_and_limits(name: str, mlh: Callable[..., str]) -> None:
    mlh("validate", str(MANIFESTS / f"{name}.yaml"))
    manifest = read(name)
    assert [(spec["name"], spec["dtype"], spec["shape"]) for spec in manifest["inputs"]] == [
        (one, "int64", ["batch", 384]) for one in STAND_INS[name]
    ]
    assert manifest["mlperf"] == {
        "model": "bert-99", "server_target_latency_ms": 130, "performance_sample_count": 10833,
    }  # fmt: skip
    assert manifest["metric"] == {"name": "squad", "target": pytest.approx(0.99 * 90.874)}
    for part in (manifest, *manifest.get("frameworks", {}).values()):
        (file,) = part["model"]["files"]
        assert file["source"].startswith("https://zenodo.org/record/")
        assert len(file["md5"]) == 32


@pytest.mark.parametrize("name", sorted(STAND_INS))
def test_a_stand_in_answers_and_the_figures_are_the_official_ones(
    name: str, stand_in: Callable[[str], str], mlh: Callable[..., str]
) -> None:
    found = json.loads(mlh("bench", stand_in(name), "--mode", "accuracy", "--json", DATA_DIR=str(DATA)))
    assert found["status"] == "valid"
    accuracy = found["accuracy"]
    assert (accuracy["value"], accuracy["details"]["exact_match"]) == (OFFICIAL["f1"], OFFICIAL["exact_match"])
    assert accuracy["n"] == 19


def test_a_stand_in_is_measured(stand_in: Callable[[str], str], mlh: Callable[..., str]) -> None:
    words = ("bench", stand_in("mlperf-bert"), "--scenario", "Offline", "--duration", "0.5", "--json")
    assert json.loads(mlh(*words, DATA_DIR=str(DATA)))["status"] == "valid"


def test_missing_data_is_told_with_what_to_put_where(stand_in: Callable[[str], str], mlh: Callable[..., str]) -> None:
    said = mlh("bench", stand_in("mlperf-bert"), "--quiet", expect=2, DATA_DIR="")
    assert "dev-v1.1.json" in said
    assert "rajpurkar.github.io/SQuAD-explorer" in said


@pytest.mark.origin
def test_our_network_is_transformers() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `origin`)")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (extra `origin`)")
    config = transformers.BertConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96, vocab_size=500,
        attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(4)
    original = transformers.BertForQuestionAnswering(config).eval()
    made = importlib.import_module("mlharness_language.bert").question_answering(64, 3, 4, 96, 500)
    # As MLPerf's file, which was saved by a version that had a pooler, and numbers of positions.
    weights = {**original.state_dict(), "bert.embeddings.position_ids": torch.arange(512)[None]}
    weights |= {"bert.pooler.dense.weight": torch.zeros(64, 64), "bert.pooler.dense.bias": torch.zeros(64)}
    made.load_state_dict(weights, strict=True)
    ids, mask = torch.randint(0, 500, (2, 384)), torch.ones(2, 384, dtype=torch.int64)
    mask[1, 200:] = 0
    segments = (torch.arange(384) > 30).long().expand(2, -1)
    with torch.no_grad():
        found = made(ids, mask, segments)
        wanted = original(ids, attention_mask=mask, token_type_ids=segments)
    for ours, theirs in zip(found, (wanted.start_logits, wanted.end_logits), strict=True):
        assert (ours - theirs)[mask == 1].abs().max() < 1e-4


@pytest.mark.origin
def test_bert_large_has_its_size() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `origin`)")
    with torch.device("meta"):
        made = importlib.import_module("mlharness_language.bert").question_answering()
    assert sum(parameter.numel() for parameter in made.parameters()) == 334_094_338
