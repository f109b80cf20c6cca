"""Operations and bytes from shapes: worked out by hand for one operator of each group."""

from __future__ import annotations

from typing import Any

import pytest

from mlharness.analysis.deduced import deduce_outputs
from mlharness.analysis.flops import GROUPS, moved_bytes, operations, tensors
from mlharness.analysis.operators import KINDS
from tests.traces import floats

X = floats(2, 8, 16, 16)


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "wanted"),
    [
        ("Conv", (X, floats(4, 8, 3, 3)), (floats(2, 4, 16, 16),), 2 * 2 * 4 * 256 * 8 * 9),
        ("Conv", (X, floats(8, 1, 3, 3)), (X,), 2 * 2 * 8 * 256 * 9),
        ("QLinearConv", (X, floats(), floats(), floats(4, 8, 1, 1)), (floats(2, 4, 16, 16),), 2 * 2 * 4 * 256 * 8),
        ("ConvTranspose", (X, floats(8, 4, 2, 2)), (floats(2, 4, 32, 32),), 2 * 2 * 8 * 256 * 4 * 4),
        ("_FusedConv2D", (floats(1, 8, 8, 3), floats(3, 3, 3, 16)), (floats(1, 8, 8, 16),), 2 * 64 * 16 * 27),
        ("DepthwiseConv2dNative", (floats(1, 8, 8, 3), floats(3, 3, 3, 1)), (floats(1, 8, 8, 3),), 2 * 64 * 3 * 9),
        ("Gemm", (floats(2, 64), floats(10, 64), floats(10)), (floats(2, 10),), 2 * 2 * 10 * 64),
        ("FusedMatMul", (floats(64, 2), floats(64, 10)), (floats(2, 10),), 2 * 2 * 10 * 64),
        ("MatMul", (floats(12, 5, 7), floats(12, 7, 3)), (floats(12, 5, 3),), 2 * 12 * 5 * 7 * 3),
        ("MatMul", (floats(5, 7), floats(12, 7, 3)), (floats(12, 5, 3),), 2 * 12 * 5 * 7 * 3),
        ("aten::addmm", (floats(10), floats(2, 64), floats(64, 10)), (), 2 * 2 * 10 * 64),
        ("aten::bmm", (floats(12, 5, 7), floats(12, 7, 3)), (), 2 * 12 * 5 * 7 * 3),
        ("aten::matmul", (floats(4, 5, 7), floats(7)), (), 2 * 4 * 5 * 7),
        ("aten::linear", (floats(2, 3, 64), floats(10, 64)), (), 2 * 6 * 10 * 64),
        ("aten::scaled_dot_product_attention", (floats(2, 4, 5, 8), floats(2, 4, 6, 8), floats(2, 4, 6, 3)), (),
         2 * 2 * 4 * 5 * 6 * (8 + 3)),
        ("LSTM", (floats(7, 2, 3), floats(1, 20, 3), floats(1, 20, 5)), (), 2 * 7 * 2 * (20 * 3 + 20 * 5)),
        ("Relu", (X,), (X,), 4096),
        ("aten::relu", (X,), (), 4096),
        ("BatchNormalization", (X,), (X,), 2 * 4096),
        ("Softmax", (X,), (X,), 4 * 4096),
        ("LayerNormalization", (X,), (X,), 8 * 4096),
        ("GlobalAveragePool", (X,), (floats(2, 8, 1, 1),), 4096),
        ("Concat", (X, X), (floats(2, 16, 16, 16),), 0),
        ("Reshape", (X,), (floats(2, 2048),), 0),
        ("Gather", (floats(1000, 8), ("int64", (3,))), (floats(3, 8),), 0),
    ],
)  # fmt: skip
def test_operations(kind: str, inputs: Any, outputs: Any, wanted: float) -> None:
    assert operations(kind, inputs, outputs) == wanted


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        ("Attention", (X,), (X,)),
        ("Conv", (X,), (X,)),
        ("Conv", (X, floats(4)), (floats(2, 4, 16, 16),)),
        ("Conv", (X, floats(4, 8, 3, 3)), ()),
        ("Gemm", (floats(2, 64),), ()),
        ("Gemm", (floats(0, 64),), (floats(0, 0),)),
        ("aten::mm", (floats(), floats()), ()),
        ("Relu", (), ()),
    ],
)
def test_what_is_unknown_is_no_guess(kind: str, inputs: Any, outputs: Any) -> None:
    assert operations(kind, inputs, outputs) is None


def test_bytes_are_those_of_all_tensors() -> None:
    assert moved_bytes("Gemm", (floats(2, 64), floats(10, 64)), (floats(2, 10),)) == 4 * (128 + 640 + 20)
    assert moved_bytes("MatMulInteger", (("uint8", (2, 4)), ("int8", (4, 3))), (("int32", (2, 3)),)) == 8 + 12 + 24


@pytest.mark.parametrize("others", [(), (floats(10),)])
def test_weights_that_a_framework_keeps_to_itself_are_moved_all_the_same(others: Any) -> None:
    """ONNX Runtime packs them, and shows the input and perhaps the bias."""
    bias = 10 if others else 0
    assert moved_bytes("Gemm", (floats(2, 64), *others), (floats(2, 10),)) == 4 * (128 + 640 + bias + 20)
    assert moved_bytes("MatMul", (floats(2, 64), floats(64)), (floats(2),)) == 4 * (128 + 64 + 2), "a vector is no bias"


def test_a_view_moves_nothing_and_a_choice_what_it_chose() -> None:
    assert moved_bytes("Reshape", (X,), (floats(4096),)) == 0
    assert moved_bytes("Gather", (floats(1000, 8), ("int64", (3,))), (floats(3, 8),)) == 2 * 4 * 24


@pytest.mark.parametrize(("inputs", "outputs"), [((X,), ()), ((), (X,)), ((("string", (2,)),), (X,))])
def test_bytes_that_are_not_known(inputs: Any, outputs: Any) -> None:
    assert moved_bytes("Relu", inputs, outputs) is None


@pytest.mark.parametrize(
    ("kind", "inputs", "following", "wanted"),
    [
        ("aten::conv2d", (X, floats(4, 8, 3, 3)), (floats(2, 4, 8, 8),), (2, 4, 8, 8)),
        ("aten::conv2d", (X, floats(4, 8, 3, 3)), (floats(2, 8, 8, 8),), None),
        ("aten::conv2d", (X, floats(4, 8, 3, 3)), (floats(2, 4, 32, 32),), None),
        ("aten::conv2d", (X, floats(4, 8, 3, 3)), (floats(2, 256),), None),
        ("aten::conv2d", (X, floats(4, 8, 3, 3)), (), None),
        ("aten::conv2d", (X,), (floats(2, 4, 8, 8),), None),
        ("aten::avg_pool2d", (X,), (floats(2, 8, 8, 8),), (2, 8, 8, 8)),
        ("aten::relu", (X,), (), (2, 8, 16, 16)),
        ("aten::add", (floats(), X), (), (2, 8, 16, 16)),
        ("aten::linear", (floats(2, 3, 64), floats(10, 64)), (), (2, 3, 10)),
        ("aten::addmm", (floats(10), floats(2, 64), floats(64, 10)), (), (2, 10)),
        ("aten::matmul", (floats(5, 7), floats(12, 7, 3)), (), (12, 5, 3)),
        ("aten::cat", (X,), (X,), None),
        ("unheard of", (X,), (X,), None),
    ],
)
def test_outputs_that_are_not_told_are_deduced(kind: str, inputs: Any, following: Any, wanted: Any) -> None:
    assert [dims for _, dims in deduce_outputs(kind, inputs, following)] == ([wanted] if wanted else [])


def test_no_operator_is_counted_in_two_ways() -> None:
    assert sum(map(len, KINDS.values())) == len(GROUPS)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([["float32", [1, 3]], ["int64", []]], [("float32", (1, 3)), ("int64", ())]),
        ([["float32", ["batch", 3]]], []),
        ([["float32"]], []),
        ("float32[1,3]", []),
        (None, []),
    ],
)
def test_tensors_are_read_as_tracers_write_them(given: Any, wanted: Any) -> None:
    assert tensors(given) == wanted
