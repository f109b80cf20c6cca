"""One ONNX Runtime session as a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mlharness.errors import UserError
from mlharness.providers import Array, Model, TensorSpec
from mlharness_onnxruntime.binding import Binding
from mlharness_onnxruntime.modelfile import openable
from mlharness_onnxruntime.session import open_session

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}


class OnnxRuntimePredictor:
    """A session on one device. ``predict`` releases the interpreter's lock while ONNX Runtime works."""

    def __init__(self, model: Model, device: str, options: Mapping[str, Any]) -> None:
        self.model = model
        self.options = options
        with openable(model) as path:
            self._session = open_session(path, device, options)
        self.inputs: Sequence[TensorSpec] = [tensor_spec(node) for node in self._session.get_inputs()]
        self.outputs: Sequence[TensorSpec] = [tensor_spec(node) for node in self._session.get_outputs()]
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        kind, _, number = device.partition(":")
        wanted = options["io_binding"]
        if kind == "cuda" if wanted is None else wanted:
            self._run = Binding(self._session, kind, int(number or 0)).run
        else:
            self._run = partial(self._session.run, [spec.name for spec in self.outputs])

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Every output, batch axis first."""
        outputs: list[Array] = self._run(batch)
        return outputs

    def close(self) -> Sequence[Any]:
        """Drop the session, and with it its threads and memory."""
        del self._run, self._session
        return ()


def tensor_spec(node: Any) -> TensorSpec:
    """ONNX Runtime's description of an input or output; symbolic dimensions are free axes."""
    if node.type not in _DTYPES:
        raise UserError(f"{node.name!r} is a {node.type}, which mlharness cannot feed", "Only tensors of numbers.")
    return TensorSpec(node.name, _DTYPES[node.type], tuple(n if isinstance(n, int) else None for n in node.shape))
