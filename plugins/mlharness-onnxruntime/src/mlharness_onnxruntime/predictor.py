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
from mlharness_onnxruntime.tracer import ProfileTracer

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
    """A session on one device. ``predict`` releases the interpreter's lock while ONNX Runtime works.

    Args:
        model: with its files.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        options: the plugin's, resolved.
        trace: what the session's profile is kept for, if it shall keep one.
    """

    def __init__(
        self, model: Model, device: str, options: Mapping[str, Any], trace: ProfileTracer | None = None
    ) -> None:
        self.model = model
        self.options = options
        self._profile = trace.profile() if trace else None
        with openable(model) as path:
            self._session = open_session(path, device, options, self._profile.prefix if self._profile else "")
            if self._profile:
                self._profile.learn_names(path)
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
        """Drop the session, and with it its threads and memory; returns the spans of its profile, if it kept one."""
        spans = self._profile.finish(self._session) if self._profile else ()
        del self._run, self._session
        return spans


def tensor_spec(node: Any) -> TensorSpec:
    """ONNX Runtime's description of an input or output; symbolic dimensions are free axes."""
    if node.type not in _DTYPES:
        raise UserError(f"{node.name!r} is a {node.type}, which mlharness cannot feed", "Only tensors of numbers.")
    return TensorSpec(node.name, _DTYPES[node.type], tuple(n if isinstance(n, int) else None for n in node.shape))
