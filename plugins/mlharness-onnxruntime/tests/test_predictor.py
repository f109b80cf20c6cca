"""A session as a predictor: numpy's own numbers, honest tensors, and options that arrive."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from conftest import BIAS, WEIGHTS, Load, Save
from mlharness_onnxruntime import session
from onnx import TensorProto, helper

from mlharness.errors import UserError
from mlharness.providers import TensorSpec


class TestPredictions:
    """Numbers."""

    @pytest.mark.parametrize("count", [1, 2, 17])
    def test_they_are_numpys(self, load: Load, linear: Path, count: int) -> None:
        x = np.random.default_rng(count).standard_normal((count, 4)).astype(np.float32)
        y, z = load(linear).predict({"x": x})
        np.testing.assert_allclose(y, x @ WEIGHTS + BIAS, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(z, np.maximum(y, 0))
        assert y.dtype == z.dtype == np.float32

    def test_an_answer_is_not_overwritten_by_the_next(self, load: Load, linear: Path) -> None:
        loaded = load(linear)
        first = loaded.predict({"x": np.ones((2, 4), np.float32)})[0]
        kept = first.copy()
        loaded.predict({"x": np.zeros((2, 4), np.float32)})
        np.testing.assert_array_equal(first, kept)

    def test_a_view_of_a_larger_array_is_a_batch(self, load: Load, linear: Path) -> None:
        """As the sample library hands it over."""
        held = np.random.default_rng(1).standard_normal((9, 4)).astype(np.float32)
        loaded = load(linear)
        np.testing.assert_array_equal(loaded.predict({"x": held[3:6]})[0], loaded.predict({"x": held[3:6].copy()})[0])

    @pytest.mark.parametrize(
        "batch",
        [{"x": np.ones((1, 5), np.float32)}, {"x": np.ones((1, 4))}, {}, {"other": np.ones((1, 4), np.float32)}],
    )
    def test_what_does_not_fit_is_raised(self, load: Load, linear: Path, batch: dict[str, Any]) -> None:
        with pytest.raises(Exception, match=r"(?i)invalid|got|missing|required"):
            load(linear).predict(batch)


class TestTensors:
    """What a loaded model says of itself."""

    def test_names_dtypes_and_free_axes(self, load: Load, linear: Path) -> None:
        loaded = load(linear)
        assert list(loaded.inputs) == [TensorSpec("x", "float32", (None, 4))]
        assert [spec.name for spec in loaded.outputs] == ["y", "z"]
        assert {spec.shape for spec in loaded.outputs} == {(None, 3)}

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ([2, 3], (2, 3)),
            (["batch", 3], (None, 3)),
            ([None, "time", 3], (None, None, 3)),
            ([], ()),
        ],
    )
    def test_shapes(self, load: Load, save: Save, shape: list[Any], expected: tuple[int | None, ...]) -> None:
        path = save([helper.make_node("Identity", ["x"], ["y"])], *[[(n, TensorProto.FLOAT, shape)] for n in "xy"])
        loaded = load(path)
        assert [spec.shape for spec in (*loaded.inputs, *loaded.outputs)] == [expected, expected]

    @pytest.mark.parametrize(
        "dtype",
        [
            "float16",
            "float32",
            "float64",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "bool",
        ],
    )
    def test_every_dtype_goes_in_and_comes_out(self, load: Load, save: Save, dtype: str) -> None:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        path = save([helper.make_node("Identity", ["x"], ["y"])], *[[(n, kind, ["batch", 2])] for n in "xy"])
        loaded = load(path)
        assert [spec.dtype for spec in (*loaded.inputs, *loaded.outputs)] == [dtype, dtype]
        x = np.array([[0, 1], [1, 0]], dtype)
        (y,) = loaded.predict({"x": x})
        np.testing.assert_array_equal(y, x)
        assert y.dtype == x.dtype

    def test_what_is_no_number_is_refused_by_name(self, load: Load, save: Save) -> None:
        path = save(
            [helper.make_node("Identity", ["words"], ["y"])],
            *[[(n, TensorProto.STRING, ["n"])] for n in ("words", "y")],
        )
        with pytest.raises(UserError, match=r"'words' is a tensor\(string\), which mlharness cannot feed"):
            load(path)


class TestOptions:
    """What a user tunes reaches ONNX Runtime."""

    def settings(self, load: Load, path: Path, **options: Any) -> ort.SessionOptions:
        return load(path, **options)._session.get_session_options()

    def test_defaults(self, load: Load, linear: Path) -> None:
        found = self.settings(load, linear)
        assert (found.intra_op_num_threads, found.inter_op_num_threads) == (0, 1)
        assert found.execution_mode == ort.ExecutionMode.ORT_SEQUENTIAL
        assert found.graph_optimization_level == ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        assert found.get_session_config_entry("session.intra_op.allow_spinning") == "1"

    @pytest.mark.parametrize("threads", [1, 2])
    def test_threads(self, load: Load, linear: Path, threads: int) -> None:
        assert self.settings(load, linear, intra_op_num_threads=threads).intra_op_num_threads == threads
        assert self.settings(load, linear, inter_op_num_threads=threads).inter_op_num_threads == threads

    def test_threads_are_really_made(self, load: Load, linear: Path) -> None:
        """The calling thread is one of them."""
        gc.collect()  # sessions of other tests
        before = native_threads()
        one = load(linear, intra_op_num_threads=1)
        alone = native_threads()
        three = load(linear, intra_op_num_threads=3)
        assert (alone - before, native_threads() - alone) == (0, 2)
        one.close()
        three.close()
        gc.collect()
        assert native_threads() == before

    @pytest.mark.parametrize("name", ["disabled", "basic", "extended", "all"])
    def test_every_level_of_optimisation_gives_the_same_numbers(self, load: Load, linear: Path, name: str) -> None:
        x = np.ones((2, 4), np.float32)
        loaded = load(linear, graph_optimization_level=name)
        np.testing.assert_allclose(loaded.predict({"x": x})[0], x @ WEIGHTS + BIAS, rtol=1e-5)
        level = loaded._session.get_session_options().graph_optimization_level
        assert level == session.LEVELS[name]

    def test_modes_and_spinning(self, load: Load, linear: Path) -> None:
        found = self.settings(load, linear, execution_mode="parallel", allow_spinning=False, inter_op_num_threads=2)
        assert found.execution_mode == ort.ExecutionMode.ORT_PARALLEL
        assert found.get_session_config_entry("session.intra_op.allow_spinning") == "0"

    @pytest.mark.parametrize(
        "options",
        [
            {"graph_optimization_level": "most"},
            {"execution_mode": "both"},
            {"intra_op_num_threads": "2"},
            {"spin": True},
        ],
    )
    def test_what_is_not_declared_is_refused(self, load: Load, linear: Path, options: dict[str, Any]) -> None:
        with pytest.raises(UserError):
            load(linear, **options)


def native_threads() -> int:
    """Threads of this process as the kernel counts them."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("Threads:")[1].split()[0])


def test_closing_frees_the_session_and_ends_the_predictor(load: Load, linear: Path) -> None:
    loaded = load(linear)
    session = weakref.ref(loaded._session)
    assert list(loaded.close()) == []
    gc.collect()
    assert session() is None
    with pytest.raises(AttributeError):
        loaded.predict({"x": np.ones((1, 4), np.float32)})
