"""Predictors of every format: numpy's own numbers, honest tensors, options that arrive, and errors with a remedy."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BIAS, WEIGHTS, Load, tf
from mlharness_tensorflow import plugin
from mlharness_tensorflow.process import import_keras

from mlharness.errors import UserError
from mlharness.providers import Model, TensorSpec

X = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
Y = X @ WEIGHTS + BIAS


class TestSavedModel:
    @pytest.mark.parametrize("options", [{}, {"freeze": False}, {"jit_compile": True}])
    def test_numbers_and_tensors(self, load: Load, saved_model: Path, options: dict[str, Any]) -> None:
        loaded = load(saved_model, **options)
        assert list(loaded.inputs) == [TensorSpec("x", "float32", (None, 4))]
        assert list(loaded.outputs) == [TensorSpec(name, "float32", (None, 3)) for name in "yz"]
        y, z = loaded.predict({"x": X})
        np.testing.assert_allclose(y, Y, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(z, np.maximum(Y, 0), rtol=1e-5, atol=1e-6)

    def test_its_pb_names_the_folder(self, load: Load, saved_model: Path) -> None:
        np.testing.assert_allclose(load(saved_model / "saved_model.pb").predict({"x": X})[0], Y, rtol=1e-5, atol=1e-6)

    def test_an_unknown_signature(self, load: Load, saved_model: Path) -> None:
        with pytest.raises(UserError, match="no signature 'serving'") as caught:
            load(saved_model, signature="serving")
        assert "Did you mean 'serving_default'?" in caught.value.remedy

    @pytest.mark.parametrize("lost", ["saved_model.pb", "variables"])
    def test_an_incomplete_folder(self, load: Load, saved_model: Path, lost: str) -> None:
        path = saved_model / lost
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        with pytest.raises(UserError, match="TensorFlow cannot load linear: ") as caught:
            load(saved_model)
        assert "complete" in caught.value.remedy


class TestKerasFile:
    def test_numbers_are_keras_own(self, load: Load, keras_file: Path) -> None:
        x = np.random.default_rng(2).standard_normal((3, 6)).astype(np.float32)
        network = import_keras().models.load_model(keras_file)
        (y,) = load(keras_file).predict({"x": x})
        np.testing.assert_allclose(y, network(x, training=False).numpy(), rtol=1e-5, atol=1e-6)

    def test_the_name_does_not_matter(self, load: Load, keras_file: Path) -> None:
        """What is fetched by checksum has no suffix."""
        plain = keras_file.rename(keras_file.with_name("0f" * 32))
        assert [spec.name for spec in load(plain).outputs] == ["y"]

    def test_several_inputs_keep_their_order(self, load: Load, tmp_path: Path) -> None:
        keras = import_keras()
        b, a = keras.Input((2,), name="b"), keras.Input((2,), name="a", dtype="int32")
        both = keras.layers.Concatenate(name="both")
        path = tmp_path / "two.keras"
        keras.Model([b, a], both([b, keras.ops.cast(a, "float32")])).save(path)
        loaded = load(path)
        assert [(spec.name, spec.dtype) for spec in loaded.inputs] == [("b", "float32"), ("a", "int32")]
        (found,) = loaded.predict({"a": np.array([[3, 4]], np.int32), "b": np.array([[1, 2]], np.float32)})
        assert found.tolist() == [[1, 2, 3, 4]]

    def test_a_lambda_is_refused_and_not_executed(self, load: Load, tmp_path: Path) -> None:
        keras, mark = import_keras(), tmp_path / "executed"
        x = keras.Input((2,), name="x")

        def touch(tensor: Any, path: str = str(mark)) -> Any:
            import pathlib

            pathlib.Path(path).touch()
            return tensor

        model = keras.Model(x, keras.layers.Lambda(lambda tensor, path=str(mark): touch(tensor, path))(x))
        model.save(tmp_path / "lambda.keras")
        mark.unlink(missing_ok=True)
        with pytest.raises(UserError, match="holds a Lambda layer") as caught:
            load(tmp_path / "lambda.keras")
        assert not mark.exists()
        assert "without Lambda" in caught.value.remedy

    @pytest.mark.parametrize(
        ("kind", "module"),
        [
            ("system", "os"),
            ("get_file", "keras.utils"),
            ("function", "keras.config"),
            ("x", "keras_evil"),
            ("x", 3),
            (["Lambda"], "os"),
        ],
    )
    def test_code_from_elsewhere_is_refused(self, load: Load, keras_file: Path, kind: Any, module: Any) -> None:
        def spoil(config: Any) -> None:
            config["config"]["layers"][1]["config"]["extra"] = {"class_name": kind, "module": module, "config": {}}

        rewrite(keras_file, spoil)
        with pytest.raises(UserError, match="is no part of a network of Keras"):
            load(keras_file)

    def test_a_class_that_keras_does_not_know(self, load: Load, keras_file: Path) -> None:
        rewrite(keras_file, lambda config: config["config"]["layers"][1].update(class_name="Dents"))
        with pytest.raises(UserError, match=r"Keras cannot load linear\.keras: "):
            load(keras_file)

    @pytest.mark.parametrize("keep", [0.3, 0.9])
    def test_a_file_that_is_cut_off(self, load: Load, keras_file: Path, keep: float) -> None:
        data = keras_file.read_bytes()
        keras_file.write_bytes(data[: int(len(data) * keep)])
        with pytest.raises(UserError, match=r"is no complete \.keras file") as caught:
            load(keras_file)
        assert caught.value.remedy


def rewrite(path: Path, change: Any) -> None:
    """Change the description inside a ``.keras`` file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def save_graph(path: Path, build: Any) -> Path:
    """The file of a graph of TensorFlow 1, built by ``build(v1)``."""
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def old_network(v1: Any) -> None:
    """As frozen in 2018: a placeholder, a product, an end, and a device that is not here."""
    with tf.device("/device:GPU:0"):
        x = v1.placeholder(tf.float32, (None, 4), name="input")
        y = v1.nn.bias_add(v1.matmul(x, WEIGHTS), BIAS, name="logits")
        v1.nn.softmax(y, name="Reshape_1")


class TestFrozenGraph:
    @pytest.fixture
    def old(self, tmp_path: Path) -> Path:
        return save_graph(tmp_path / "old.pb", old_network)

    def test_names_of_the_manifest(self, load: Load, old: Path) -> None:
        x, y = TensorSpec("input:0", "float32", (None, 4)), TensorSpec("logits", "float32", (None, 3))
        loaded = load(old, inputs=(x,), outputs=(y,))
        assert (list(loaded.inputs), list(loaded.outputs)) == ([x], [y])
        np.testing.assert_allclose(loaded.predict({"input:0": X})[0], Y, rtol=1e-5, atol=1e-6)

    def test_layers_by_attributes_keep_the_manifests_names(self, load: Load, old: Path) -> None:
        x, y = TensorSpec("images", "float32", (None, 4)), TensorSpec("scores", "float32", (None, 3))
        loaded = load(old, inputs=(x,), outputs=(y,), attributes={"input_layer": "input", "output_layer": ["logits:0"]})
        assert [spec.name for spec in (*loaded.inputs, *loaded.outputs)] == ["images", "scores"]
        np.testing.assert_allclose(loaded.predict({"images": X})[0], Y, rtol=1e-5, atol=1e-6)

    def test_places_and_what_the_manifest_leaves_open(self, load: Load, old: Path) -> None:
        loaded = load(old, inputs=(TensorSpec("0", "float32", ()),), outputs=(TensorSpec("logits", "", ()),))
        assert list(loaded.inputs) == [TensorSpec("input", "float32", (None, 4))]
        assert list(loaded.outputs) == [TensorSpec("logits", "float32", (None, 3))]
        [spec] = load(old, outputs=(TensorSpec("0", "", ()),)).outputs
        assert spec.name == "Reshape_1"

    def test_an_output_of_a_shape_that_nobody_knows(self, load: Load, tmp_path: Path) -> None:
        def build(v1: Any) -> None:
            x = v1.placeholder(tf.float32, (None, 4), name="x")
            v1.placeholder_with_default(x * 2, None, name="y")

        loaded = load(save_graph(tmp_path / "open.pb", build), outputs=(TensorSpec("y", "", ()),))
        assert list(loaded.outputs) == [TensorSpec("y", "float32", ())]
        np.testing.assert_array_equal(loaded.predict({"x": X})[0], 2 * X)

    def test_without_names_the_graph_tells(self, load: Load, old: Path) -> None:
        loaded = load(old)
        assert [spec.name for spec in (*loaded.inputs, *loaded.outputs)] == ["input", "Reshape_1"]

    @pytest.mark.parametrize(
        ("side", "wrong", "likely"),
        [
            ("input", "inputs", "Did you mean 'input'? The graph's inputs are likely: 'input'."),
            ("output", "logitz", "Did you mean 'logits'? The graph's outputs are likely: 'Reshape_1'."),
            ("output", "probabilities:0", "The graph's outputs are likely: 'Reshape_1'."),
            ("output", "logits:7", "The graph's outputs are likely: 'Reshape_1'."),
        ],
    )
    def test_a_missing_layer(self, load: Load, old: Path, side: str, wrong: str, likely: str) -> None:
        with pytest.raises(UserError, match=f"old.pb has no {side} layer '{wrong}'") as caught:
            load(old, attributes={f"{side}_layer": wrong})
        assert caught.value.remedy.endswith(likely.partition("? ")[2] or likely)

    def test_a_layer_that_is_no_name_and_too_many(self, load: Load, old: Path) -> None:
        with pytest.raises(UserError, match="input_layer is 3"):
            load(old, attributes={"input_layer": 3})
        with pytest.raises(UserError, match="names 2 layers, and inputs declares 1"):
            load(old, inputs=(TensorSpec("x", "float32", (None, 4)),), attributes={"input_layer": ["input", "b"]})

    def test_an_output_that_needs_more_inputs(self, load: Load, tmp_path: Path) -> None:
        def build(v1: Any) -> None:
            a, b = (v1.placeholder(tf.float32, (None, 2), name=name) for name in "ab")
            v1.add(a, b, name="sum")

        path = save_graph(tmp_path / "two.pb", build)
        with pytest.raises(UserError) as caught:
            load(path, attributes={"input_layer": "a", "output_layer": "sum"})
        assert caught.value.remedy == "Inputs of the graph: 'a', 'b'."

    def test_several_ends_have_to_be_named(self, load: Load, tmp_path: Path) -> None:
        def build(v1: Any) -> None:
            x = v1.placeholder(tf.float32, (None, 2), name="x")
            v1.add(x, x, name="double")
            v1.multiply(x, x, name="square")

        with pytest.raises(UserError, match="has 2 layers that could be its output") as caught:
            load(save_graph(tmp_path / "ends.pb", build))
        assert caught.value.remedy == "Name them under outputs: 'double', 'square'."

    def test_a_rank_that_the_graph_does_not_know_comes_from_the_manifest(self, load: Load, tmp_path: Path) -> None:
        def build(v1: Any) -> None:
            x = v1.placeholder(tf.float32, (None, 2), name="x")
            v1.placeholder_with_default(v1.add(x, x), None, name="y")

        path = save_graph(tmp_path / "rank.pb", build)
        with pytest.raises(UserError, match="does not say the shape of 'y'"):
            load(path)
        declared = TensorSpec("y", "float32", (None, 2))
        assert list(load(path, outputs=(declared,)).outputs) == [declared]

    def test_variables_are_elsewhere(self, load: Load, tmp_path: Path) -> None:
        path = save_graph(
            tmp_path / "open.pb", lambda v1: v1.get_variable("w", (2,), use_resource=False, initializer=None)
        )
        with pytest.raises(UserError, match=r"is not frozen: it holds variables \(VariableV2\)"):
            load(path)

    @pytest.mark.parametrize(
        "dtype", ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "bool"]
    )
    def test_every_dtype_goes_in_and_comes_out(self, load: Load, tmp_path: Path, dtype: str) -> None:
        def build(v1: Any) -> None:
            v1.identity(v1.placeholder(dtype, (None, None, 2), name="x"), name="y")

        loaded = load(save_graph(tmp_path / "same.pb", build))
        assert [spec.dtype for spec in (*loaded.inputs, *loaded.outputs)] == [dtype, dtype]
        x = np.array([[[0, 1]]], dtype)
        (y,) = loaded.predict({"x": x})
        np.testing.assert_array_equal(y, x)
        assert y.dtype == x.dtype
        assert not np.shares_memory(x, y)

    @pytest.mark.parametrize(("dtype", "said"), [("string", "string"), ("bfloat16", "bfloat16")])
    def test_what_numpy_cannot_hold_is_refused(self, load: Load, tmp_path: Path, dtype: str, said: str) -> None:
        path = save_graph(
            tmp_path / "odd.pb", lambda v1: v1.identity(v1.placeholder(dtype, (None,), name="x"), name="y")
        )
        with pytest.raises(UserError, match=f"'x' is a tensor of {said}"):
            load(path)


class TestBatches:
    @pytest.mark.parametrize(
        "batch",
        [{"x": np.ones((1, 5), np.float32)}, {"x": np.ones((1, 4))}, {}, {"y": X}, {"x": np.ones(4, np.float32)}],
    )
    def test_what_does_not_fit_is_raised(self, load: Load, saved_model: Path, batch: dict[str, Any]) -> None:
        with pytest.raises((ValueError, KeyError), match="x"):
            load(saved_model).predict(batch)

    def test_a_view_is_a_batch_and_an_answer_stays(self, load: Load, saved_model: Path) -> None:
        loaded = load(saved_model)
        first = loaded.predict({"x": X[1:3]})[0]
        kept = first.copy()
        loaded.predict({"x": np.zeros((2, 4), np.float32)})
        np.testing.assert_array_equal(first, kept)
        first += 1  # it is the caller's own


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "no model that TensorFlow runs"),
            (b"this is no model", "no model that TensorFlow runs"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"\x08\x08\x12\x05torch", "an ONNX file"),
            (b"\x1c\0\0\0TFL3", "a TensorFlow Lite file"),
            (b"\n\xff\xff\xff\xff\x7fx", "is no frozen graph"),
            (b"PK\x03\x04 zip of something", "no complete .keras file"),
        ],
    )
    def test_they_are_named(self, load: Load, tmp_path: Path, data: bytes, said: str) -> None:
        path = tmp_path / "file"
        path.write_bytes(data)
        with pytest.raises(UserError, match=said) as caught:
            load(path)
        assert caught.value.remedy

    def test_a_zip_of_something_else(self, load: Load, tmp_path: Path) -> None:
        """A TorchScript file is a zip, too."""
        with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
            archive.writestr("model/data.pkl", b"")
        with pytest.raises(UserError, match=r"no complete \.keras file"):
            load(tmp_path / "model.pt")

    def test_a_graph_with_an_unknown_operation(self, load: Load, frozen: Path) -> None:
        frozen.write_bytes(frozen.read_bytes().replace(b"MatMul", b"MatMuk"))
        with pytest.raises(UserError, match=r"TensorFlow cannot use the graph of linear\.pb"):
            load(frozen)

    def test_a_cut_graph(self, load: Load, frozen: Path) -> None:
        frozen.write_bytes(frozen.read_bytes()[:-20])
        with pytest.raises(UserError):
            load(frozen)

    def test_none_at_all(self) -> None:
        with pytest.raises(UserError, match="tiny: the manifest names no model file"):
            plugin.load(Model("tiny", ()), "cpu", {"intra_op_num_threads": 1, "max_cpu_isa": None})


@pytest.mark.parametrize("options", [{}, {"freeze": False}])
def test_no_tensor_is_written_out_for_an_error_that_nobody_sees(
    load: Load, keras_file: Path, options: dict[str, Any]
) -> None:
    predictor, called = load(keras_file, **options), []
    batch = {"x": np.ones((2, 6), np.float32)}
    predictor.predict(batch)
    sys.setprofile(lambda frame, event, argument: called.append(frame.f_code.co_name))
    try:
        predictor.predict(batch)
    finally:
        sys.setprofile(None)
    assert "predict" in called
    assert not {"__repr__", "array2string", "__str__"} & set(called)
