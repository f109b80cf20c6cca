"""The reader of graphs, held against the onnx package, and against damage."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from mlharness_onnxruntime.graph import Graph, read_graph
from mlharness_onnxruntime.wire import fields, numbers

LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("*.onnx"))


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_it_reads_what_onnx_reads(path: Path) -> None:
    ours, theirs = read_graph(path), onnx.load(str(path)).graph
    assert [(n.op, list(n.inputs), list(n.outputs)) for n in ours.nodes] == [
        (n.op_type, list(n.input), list(n.output)) for n in theirs.node
    ]
    assert [(t.name, t.dtype, list(t.shape)) for t in ours.initialisers] == [
        (t.name, t.data_type, list(t.dims)) for t in theirs.initializer
    ]
    for mine, other in zip(ours.initialisers, theirs.initializer, strict=True):
        if other.data_type == onnx.TensorProto.INT64:
            assert list(mine.values) == onnx.numpy_helper.to_array(other).ravel().tolist()


def test_damage_is_a_value_error_or_another_graph(linear: Path, tmp_path: Path) -> None:
    """Never an endless loop, a memory error, or another kind of exception."""
    whole, chance = linear.read_bytes(), random.Random(5)  # noqa: S311  # a repeatable choice of damage
    target = tmp_path / "damaged.onnx"
    for _ in range(500):
        damaged = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.5 else whole)
        for _ in range(chance.randrange(4)):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        target.write_bytes(damaged)
        try:
            assert isinstance(read_graph(target), Graph)
        except ValueError:
            continue


@pytest.mark.parametrize(
    "message", [b"\x0a\x05ab", b"\x08\x80", b"\x08" + b"\xff" * 11, b"\x0b", b"\x0d\x00", b"\x80"], ids=bytes.hex
)
def test_cut_off_messages(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|beyond the end|unknown kind"):
        list(fields(memoryview(message)))


def test_every_kind_of_field() -> None:
    message = memoryview(b"\x08\x96\x01\x12\x02hi\x1d\x01\x02\x03\x04\x21\x01\x02\x03\x04\x05\x06\x07\x08")
    found = [(number, value if isinstance(value, int) else bytes(value)) for number, value in fields(message)]
    assert found == [(1, 150), (2, b"hi"), (3, b"\1\2\3\4"), (4, b"\1\2\3\4\5\6\7\x08")]
    assert list(numbers(memoryview(b"\x03\x96\x01"))) == [3, 150]
    assert list(numbers(7)) == [7]
