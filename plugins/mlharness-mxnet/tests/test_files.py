"""Files that are damaged, another framework's, or another network's: refused, and MXNet does not crash on them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import LINEAR, Load, Save, linear_symbol
from mlharness_mxnet import files
from mlharness_mxnet.graph import parse_graph

from mlharness.errors import UserError

NODE = {"op": "null", "name": "x", "inputs": []}
UNSOUND = [
    "{}",
    "{nodes",
    '{"nodes": []}',
    json.dumps({"nodes": [], "heads": [], "arg_nodes": []}),  # MXNet 1.9.1 crashes on it
    json.dumps({"nodes": [NODE], "heads": [], "arg_nodes": [0]}),
    json.dumps({"nodes": [NODE], "heads": [[7, 0, 0]], "arg_nodes": [0]}),
    json.dumps({"nodes": [NODE], "heads": [[-1, 0, 0]], "arg_nodes": [0]}),
    json.dumps({"nodes": [NODE], "heads": [[0, 0, 0]], "arg_nodes": [3]}),
    json.dumps({"nodes": [{**NODE, "inputs": [[0, 0, 0]]}], "heads": [[0, 0, 0]], "arg_nodes": [0]}),
    json.dumps({"nodes": [{**NODE, "op": "relu"}], "heads": [[0, 0, 0]], "arg_nodes": [0]}),
    json.dumps({"nodes": [{"name": "x"}], "heads": [[0, 0, 0]], "arg_nodes": [0]}),
    json.dumps({"nodes": {"a": 1}, "heads": [[0, 0, 0]], "arg_nodes": [0]}),
    json.dumps({"format": "layers-model", "modelTopology": {}}),
]


@pytest.mark.parametrize("text", UNSOUND)
def test_an_unsound_graph(text: str) -> None:
    with pytest.raises(UserError, match=r"net\.json is not the JSON of an MXNet symbol"):
        parse_graph(text, "net.json")


def test_an_unknown_operator(linear: tuple[Path, Path], load: Load) -> None:
    linear[0].write_text(linear[0].read_text().replace('"FullyConnected"', '"FullyDisconnected"'))
    with pytest.raises(UserError, match=r"MXNet cannot read tiny-symbol\.json.*FullyDisconnected"):
        load(linear)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("which", [0, 1])
def test_truncated_files(linear: tuple[Path, Path], load: Load, which: int, part: float) -> None:
    content = linear[which].read_bytes()
    linear[which].write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError, match="tiny"):
        load(linear)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("model.onnx", b"\x08\x07\x12\x07pytorch"),
        ("model.pt", b"PK\x03\x04archive/data.pkl"),
        ("model.pb", b"\n\x0f\n\x01x\x12\x0bPlaceholder"),
        ("empty-symbol.json", b""),
    ],
)
def test_another_frameworks_files(load: Load, tmp_path: Path, name: str, start: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(start)
    with pytest.raises(UserError, match="no file of MXNet") as raised:
        load((path,))
    assert "-symbol.json" in raised.value.remedy


def test_symbol_or_parameters_alone_or_thrice(linear: tuple[Path, Path], load: Load) -> None:
    for given in ((linear[0],), (linear[1],), (linear[0], linear[0]), (*linear, linear[0])):
        with pytest.raises(UserError, match="a symbol and its parameters"):
            load(given)


def test_parameters_of_another_network(mx: Any, save: Save, load: Load) -> None:
    with pytest.raises(UserError, match=r"do not belong to tiny-symbol\.json: they hold 'other_weight'"):
        load(save(linear_symbol(mx), {"arg:other_weight": np.ones((2, 2), np.float32)}))


def test_parameters_of_another_size(mx: Any, save: Save, load: Load) -> None:
    with pytest.raises(UserError, match="cannot take x"):
        load(save(linear_symbol(mx), {**LINEAR, "arg:fc_weight": np.ones((3, 9), np.float32)}))


def test_parameters_without_running_statistics(mx: Any, save: Save, load: Load) -> None:
    symbol = mx.sym.BatchNorm(linear_symbol(mx), name="bn")
    arrays = {**LINEAR, "arg:bn_gamma": np.ones(3, np.float32), "arg:bn_beta": np.ones(3, np.float32)}
    with pytest.raises(UserError, match="they lack 'bn_moving_mean'"):
        load(save(symbol, arrays))


def test_parameters_that_gluon_saved_for_itself(mx: Any, save: Save, load: Load) -> None:
    with pytest.raises(UserError, match="not those of a symbol") as raised:
        load(save(linear_symbol(mx), {"features.0.weight": np.ones((3, 4), np.float32)}))
    assert "net.export" in raised.value.remedy


def test_parameters_without_names(mx: Any, linear: tuple[Path, Path], load: Load) -> None:
    mx.nd.save(str(linear[1]), [mx.nd.ones((3, 4))])
    with pytest.raises(UserError, match="not those of a symbol"):
        load(linear)


def test_a_damaged_zoo_file(linear: tuple[Path, Path], load: Load, tmp_path: Path) -> None:
    path = tmp_path / "tiny.mxnet"
    files.pack(path, linear[0].read_text(), linear[1].read_bytes())
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged") as raised:
        load((path,))
    assert f"Remove {path}" in raised.value.remedy
    path.write_bytes(content[:400])
    with pytest.raises(UserError, match="is damaged"):
        load((path,))


def test_a_zoo_file_without_its_members(load: Load, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.mxnet", "w") as archive:
        archive.writestr("readme", "")
    with pytest.raises(UserError, match="is damaged"):
        load((tmp_path / "other.mxnet",))
