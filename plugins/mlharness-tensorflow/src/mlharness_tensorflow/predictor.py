"""One TensorFlow function as a predictor."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.providers import Array, Model, TensorSpec
from mlharness_tensorflow.computation import Computation, compile_with_xla, freeze, in_order
from mlharness_tensorflow.process import import_tensorflow, settings_for, settle

_LOADING = threading.Lock()
"""Tracing is Python, which gains nothing from threads, and parts of Keras' state are the process's."""


class TensorFlowPredictor:
    """A function with its weights. ``predict`` releases the interpreter's lock while TensorFlow works.

    Args:
        computation: what is computed; it is kept, since its graph tells how large the model is.
        jit_compile: whether XLA compiles it.
    """

    def __init__(self, computation: Computation, jit_compile: bool = False) -> None:
        tf = import_tensorflow()
        self.computation = computation
        self.inputs: Sequence[TensorSpec] = tuple(computation.inputs)
        self.outputs: Sequence[TensorSpec] = tuple(computation.outputs)
        self._call = in_order(compile_with_xla(computation) if jit_compile else computation.function)
        self._flatten = tf.nest.flatten
        self._to_tensor = tf.convert_to_tensor

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Every output, batch axis first; the arrays are the caller's own.

        One copy brings an input to TensorFlow, which wants its memory aligned, and one copy each output back. Raises
        KeyError for a missing input, ValueError for one of another dtype or shape, and what TensorFlow raises.
        """
        tensors = [self._to_tensor(fitting(batch[spec.name], spec)) for spec in self.inputs]
        return [output.numpy() for output in self._flatten(self._call(tensors))]

    def close(self) -> Sequence[Any]:
        """Drop the function, and with it the weights."""
        del self._call, self.computation
        return ()


def load_predictor(model: Model, device: str, options: Mapping[str, Any]) -> TensorFlowPredictor:
    """Load a model's first file on a device.

    Raises:
        UserError: the device is not there, the file is no model, a layer or signature is missing, or the process runs
            with other settings.
    """
    # Imported here, since the readers of the formats are needed by nothing else.
    from mlharness_tensorflow.formats import load_computation

    settle(settings_for(device, options))
    with _LOADING:
        computation = load_computation(model, options)
        if options["freeze"] and computation.owner is not None:
            computation = freeze(computation)
        return TensorFlowPredictor(computation, options["jit_compile"])


def fitting(array: Array, spec: TensorSpec) -> Array:
    """The array. Raises ValueError unless it is what the input takes: a graph by itself checks neither."""
    shape = array.shape
    if array.dtype != spec.dtype or len(shape) != len(spec.shape) or not all(map(_fits, spec.shape, shape)):
        raise ValueError(
            f"{spec.name!r} is {array.dtype} {list(shape)}, and the model takes {spec.dtype} {list(spec.shape)}"
        )
    return array


def _fits(wanted: int | None, found: int) -> bool:
    return wanted is None or wanted == found
