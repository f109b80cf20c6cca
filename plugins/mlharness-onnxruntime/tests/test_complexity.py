"""Parameters and multiply-adds: by hand on small graphs, and by their authors' figures on well-known networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Load, Save
from mlharness_onnxruntime import plugin, products
from onnx import TensorProto, helper, numpy_helper

from mlharness.providers import Complexity

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
F = TensorProto.FLOAT
node = helper.make_node


def weights(name: str, *shape: int, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.full(shape, 0.5).astype(dtype), name)


def whole(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def measured(
    load: Load,
    save: Save,
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    x: Sequence[int] = (1, 4),
    rank: int = 2,
) -> Complexity:
    """The complexity of a graph from x to y for one sample of a shape."""
    free = [f"axis{number}" for number in range(rank)]
    path = save(nodes, [("x", F, [f"in{n}" for n in range(len(x))])], [("y", F, free)], constants)
    return plugin.complexity(load(path), {"x": np.ones(x, np.float32)})


class TestByHand:
    """One layer each."""

    @pytest.mark.parametrize("samples", [1, 3])
    def test_multiply_adds_are_of_one_sample(self, load: Load, save: Save, samples: int) -> None:
        nodes = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["y"])]
        constants = [weights("w", 4, 3), weights("b", 3)]
        assert measured(load, save, nodes, constants, (samples, 4)) == Complexity(15, 12)

    def test_grouped_convolution_with_stride(self, load: Load, save: Save) -> None:
        nodes = [node("Conv", ["x", "w", "b"], ["y"], group=2, strides=[2, 2], kernel_shape=[3, 3])]
        found = measured(load, save, nodes, [weights("w", 6, 2, 3, 3), weights("b", 6)], (1, 4, 9, 9), 4)
        assert found == Complexity(6 * 2 * 9 + 6, 6 * 4 * 4 * 2 * 9)

    def test_transposed_convolution(self, load: Load, save: Save) -> None:
        nodes = [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], kernel_shape=[2, 2])]
        found = measured(load, save, nodes, [weights("w", 4, 3, 2, 2)], (1, 4, 5, 5), 4)
        assert found == Complexity(48, 5 * 5 * 48)

    @pytest.mark.parametrize("transposed", [0, 1])
    def test_gemm(self, load: Load, save: Save, transposed: int) -> None:
        shape = (3, 4) if transposed else (4, 3)
        nodes = [node("Gemm", ["x", "w", "b"], ["y"], transB=transposed)]
        assert measured(load, save, nodes, [weights("w", *shape), weights("b", 3)]) == Complexity(15, 12)

    def test_a_product_of_activations_has_no_parameters(self, load: Load, save: Save) -> None:
        nodes = [node("Transpose", ["x"], ["t"], perm=[0, 2, 1]), node("MatMul", ["x", "t"], ["y"])]
        assert measured(load, save, nodes, [], (1, 5, 4), 3) == Complexity(0, 5 * 5 * 4)

    def test_batch_normalisation_counts_scale_and_bias_only(self, load: Load, save: Save) -> None:
        nodes = [node("BatchNormalization", ["x", *"sbmv"], ["y"])]
        assert measured(load, save, nodes, [weights(name, 4) for name in "sbmv"]) == Complexity(8, 0)

    def test_a_tensor_that_two_layers_share_counts_once(self, load: Load, save: Save) -> None:
        nodes = [node("MatMul", ["x", "w"], ["p"]), node("MatMul", ["p", "w"], ["y"])]
        assert measured(load, save, nodes, [weights("w", 4, 4)]) == Complexity(16, 32)

    def test_numbers_of_a_formula_do_not_count(self, load: Load, save: Save) -> None:
        nodes = [
            node("Mul", ["x", "one"], ["p"]),
            node("Add", ["p", "single"], ["q"]),
            node("Sub", ["q", "mean"], ["r"]),
            node("Reshape", ["r", "shape"], ["y"]),
        ]
        constants = [weights("one"), weights("single", 1), weights("mean", 4), whole("shape", -1, 2)]
        assert measured(load, save, nodes, constants) == Complexity(0, 0)

    def test_weights_that_are_cast_and_transposed_first(self, load: Load, save: Save) -> None:
        nodes = [
            node("Cast", ["w"], ["wide"], to=F),
            node("Transpose", ["wide"], ["turned"]),
            node("MatMul", ["x", "turned"], ["y"]),
        ]
        assert measured(load, save, nodes, [weights("w", 3, 4, dtype=np.float16)]) == Complexity(12, 12)

    def test_constant_nodes_and_constants_of_a_shape(self, load: Load, save: Save) -> None:
        nodes = [
            node("Constant", [], ["w"], value=weights("", 4, 3)),
            node("ConstantOfShape", ["shape"], ["v"], value=weights("", 1)),
            node("MatMul", ["x", "w"], ["p"]),
            node("MatMul", ["p", "v"], ["y"]),
        ]
        assert measured(load, save, nodes, [whole("shape", 3, 2)]) == Complexity(18, 18)

    def test_embeddings_count_and_tables_of_indices_do_not(self, load: Load, save: Save) -> None:
        nodes = [
            node("Cast", ["x"], ["at"], to=TensorProto.INT64),
            node("Gather", ["order", "at"], ["index"]),
            node("Gather", ["words", "index"], ["found"]),
            node("ReduceSum", ["found", "axis"], ["y"], keepdims=0),
        ]
        constants = [whole("order", 1, 0), weights("words", 2, 7), whole("axis", 1)]
        assert measured(load, save, nodes, constants) == Complexity(14, 0)

    def test_inner_graphs(self, load: Load, save: Save) -> None:
        """Both branches have parameters; the one that runs has multiply-adds."""

        def branch(name: str, width: int) -> onnx.GraphProto:
            out = helper.make_tensor_value_info(name, F, None)
            return helper.make_graph(
                [node("MatMul", ["x", f"{name}_w"], [f"{name}_p"]), node("MatMul", [f"{name}_p", "shared"], [name])],
                name, [], [out], [weights(f"{name}_w", 4, width)],
            )  # fmt: skip

        nodes = [
            node("ReduceSum", ["x"], ["sum"], keepdims=0),
            node("Cast", ["sum"], ["positive"], to=TensorProto.BOOL),
            node("If", ["positive"], ["y"], then_branch=branch("then", 3), else_branch=branch("else", 3)),
        ]
        assert measured(load, save, nodes, [weights("shared", 3, 2)]) == Complexity(12 + 12 + 6, 12 + 6)

    def test_recurrent_layers_hide_their_products(self, load: Load, save: Save) -> None:
        nodes = [node("GRU", ["x", "w", "r", "b"], ["y"], hidden_size=2)]
        constants = [weights("w", 1, 6, 4), weights("r", 1, 6, 2), weights("b", 1, 12)]
        assert measured(load, save, nodes, constants, (3, 1, 4), 4) == Complexity(24 + 12 + 12, None)

    def test_four_bits(self, load: Load, save: Save) -> None:
        """Two weights in a byte; counted from the operator's attributes."""
        matmul = node(
            "MatMulNBits", ["x", "w", "scales"], ["y"], K=32, N=3, bits=4, block_size=32, domain="com.microsoft"
        )
        path = save([matmul], [("x", F, ["b", 32])], [("y", F, ["b", 3])],
                    [weights("w", 3, 1, 16, dtype=np.uint8), weights("scales", 3)])  # fmt: skip
        model = onnx.load(str(path))
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        onnx.save(model, str(path))
        assert plugin.complexity(load(path), {"x": np.ones((1, 32), np.float32)}) == Complexity(96, 96)


def test_a_model_that_only_another_device_can_run_still_has_parameters(
    load: Load, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise RuntimeError("no kernel for the CPU")

    monkeypatch.setattr(products, "profile", refuse)
    assert plugin.complexity(load(linear), {"x": np.ones((1, 4), np.float32)}) == Complexity(15, None)


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        # The figures that torchvision documents for its own networks of these names.
        ("resnet50", 25_557_032, 4_089_184_256),
        ("squeezenet", 1_235_496, 349_151_936),
        # Krizhevsky's network in two groups, as Caffe has it.
        ("bvlc_alexnet", 60_965_224, 654_560_384),
    ],
)
def test_well_known_networks(load: Load, name: str, parameters: int, multiply_adds: int) -> None:
    loaded = load(LIGHT / f"light_{name}.onnx", graph_optimization_level="disabled")
    image = np.zeros([size or 1 for size in loaded.inputs[0].shape], np.float32)
    found = plugin.complexity(loaded, {loaded.inputs[0].name: image})
    assert found == Complexity(parameters, multiply_adds)
    loaded.close()


def test_efficientnet_lite0(load: Load) -> None:
    """Batch normalisations are folded in this file: 21,008 fewer than the 4,652,008 of the network as it is trained."""
    folder = pytest.importorskip("mlharness_vision").__path__[0]
    loaded = load(Path(folder) / "models" / "efficientnet-lite0.onnx")
    found = plugin.complexity(loaded, {"images": np.zeros((1, 3, 224, 224), np.float32)})
    assert found == Complexity(4_631_000, 385_187_552)


def test_what_an_exporter_counted_before_folding_is_taken(load: Load, save: Save) -> None:
    path = save([node("MatMul", ["x", "w"], ["y"])], [("x", F, ["n", 4])], [("y", F, ["n", 3])], [weights("w", 4, 3)])
    model = onnx.load(path)
    helper.set_model_props(model, {"mlharness.parameters": "17"})
    onnx.save(model, path)
    assert plugin.complexity(load(path), {"x": np.ones((1, 4), np.float32)}) == Complexity(17, 12)
