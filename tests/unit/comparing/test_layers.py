"""Layers of two traces are brought together, and each stands in exactly one match."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.comparing.layers import Layer, Matched, align, explain, kind

S = (1, 8, 32, 32)


def layer(name: str, type_: str = "", shape: tuple[int, ...] = S, ns: float = 100.0) -> Layer:
    return Layer(name, type_ or name.rstrip("0123456789"), shape, ns)


def layers(names: str) -> list[Layer]:
    return [layer(name) for name in names.split()]


def told(matches: Sequence[Matched]) -> list[tuple[str, str, str]]:
    return [
        (" ".join(one.name for one in match.a), " ".join(one.name for one in match.b), match.how) for match in matches
    ]


def test_the_same_names_are_the_same_layers() -> None:
    assert told(align(layers("conv1 relu1 fc1"), layers("conv1 relu1 fc1"))) == [
        ("conv1", "conv1", "name"), ("relu1", "relu1", "name"), ("fc1", "fc1", "name"),
    ]  # fmt: skip


def test_a_name_that_comes_twice_is_matched_in_order() -> None:
    a = [layer("relu", ns=1), layer("relu", ns=2)]
    b = [layer("relu", ns=10), layer("relu", ns=20), layer("relu", ns=30)]
    assert [(sum(x.mean_ns for x in m.a), sum(x.mean_ns for x in m.b)) for m in align(a, b)] == [
        (1, 10),
        (2, 20),
        (0, 30),
    ]


def test_renamed_layers_are_matched_by_type_and_shape() -> None:
    a = [layer("features.0", "Conv"), layer("features.1", "Relu"), layer("head", "Gemm", (1, 10))]
    b = [layer("Conv_0", "conv2d", (1, 32, 32, 8)), layer("Relu_1", "ReLU"), layer("MatMul_2", "Linear", (1, 10))]
    assert told(align(a, b)) == [
        ("features.0", "Conv_0", "type and shape"),
        ("features.1", "Relu_1", "type and shape"),
        ("head", "MatMul_2", "type and shape"),
    ]


def test_fused_layers_are_a_block() -> None:
    a = [*layers("conv1"), layer("c", "Conv"), layer("b", "BatchNorm"), layer("r", "Relu"), *layers("fc1")]
    b = [*layers("conv1"), layer("c+b+r", "FusedConvRelu"), *layers("fc1")]
    found = align(a, b)
    assert told(found) == [("conv1", "conv1", "name"), ("c b r", "c+b+r", "block"), ("fc1", "fc1", "name")]
    assert found[1].delta_ns == -200


def test_what_one_side_alone_has() -> None:
    a = [*layers("conv1"), layer("relu1"), *layers("fc1")]
    b = [*layers("conv1 fc1"), layer("reorder1")]
    assert told(align(a, b)) == [
        ("conv1", "conv1", "name"), ("relu1", "", "only a"), ("fc1", "fc1", "name"), ("", "reorder1", "only b"),
    ]  # fmt: skip


def test_type_and_shape_do_not_reach_across_a_match_by_name() -> None:
    a = [layer("x", "Relu"), *layers("middle1")]
    b = [*layers("middle1"), layer("y", "Relu")]
    assert told(align(a, b)) == [("x", "", "only a"), ("middle1", "middle1", "name"), ("", "y", "only b")]


def test_another_order_is_matched_by_name_all_the_same() -> None:
    found = align(layers("a1 b1 c1 d1"), layers("b1 c1 a1 d1"))
    assert sorted(told(found)) == [(name, name, "name") for name in ("a1", "b1", "c1", "d1")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Conv", "conv2d", True), ("Convolution", "Conv3D", True), ("Gemm", "FullyConnected", True),
        ("BatchNormalization", "FusedBatchNormV3", True), ("MaxPool", "AveragePool", False), ("Add", "add_", True),
    ],
)  # fmt: skip
def test_frameworks_words_for_one_type(one: str, other: str, same: bool) -> None:
    assert (kind(layer("x", one)) == kind(layer("y", other))) is same


def test_the_layers_that_explain_a_difference_come_first() -> None:
    a = [layer("big1", ns=100), layer("small1", ns=100), layer("same1", ns=100), layer("better1", ns=100)]
    b = [layer("big1", ns=300), layer("small1", ns=110), layer("same1", ns=100), layer("better1", ns=90)]
    found = explain(align(a, b))
    assert (found["a_ns"], found["b_ns"], found["delta_ns"]) == (400, 600, 200)
    assert [(row["a"], row["share"], row["explains"]) for row in found["rows"]] == [
        (["big1"], 1.0, True), (["small1"], 0.05, False), (["better1"], -0.05, False), (["same1"], 0.0, False),
    ]  # fmt: skip


def test_no_difference_has_no_explanation() -> None:
    found = explain(align(layers("a1 b1"), layers("a1 b1")))
    assert {(row["share"], row["explains"]) for row in found["rows"]} == {(None, False)}
    assert explain([])["rows"] == []


_LAYERS = st.lists(
    st.builds(
        Layer, st.sampled_from(["a", "b", "c", "d", "e"]), st.sampled_from(["Conv", "Relu"]), st.just(S),
        st.floats(0, 1e6),
    ),
    max_size=12,
)  # fmt: skip


@given(_LAYERS, _LAYERS)
def test_every_layer_stands_in_exactly_one_match(a: list[Layer], b: list[Layer]) -> None:
    found = align(a, b)
    for side, all_ in (("a", a), ("b", b)):
        matched = [id(one) for match in found for one in getattr(match, side)]
        assert sorted(matched) == sorted(map(id, all_))
    assert all(match.a or match.b for match in found)
    assert explain(found)["delta_ns"] == pytest.approx(sum(x.mean_ns for x in b) - sum(x.mean_ns for x in a), abs=1e-3)
