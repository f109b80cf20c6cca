"""One ONNX Runtime session as a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from mlharness.errors import UserError
from mlharness.providers import Array, Model, TensorSpec

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
_LEVELS = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_MODES = {"sequential": ort.ExecutionMode.ORT_SEQUENTIAL, "parallel": ort.ExecutionMode.ORT_PARALLEL}


class OnnxRuntimePredictor:
    """A session on one device. ``predict`` releases the interpreter's lock while ONNX Runtime works."""

    def __init__(self, model: Model, device: str, options: Mapping[str, Any]) -> None:
        self._session = open_session(onnx_file(model), device, options)
        self.inputs: Sequence[TensorSpec] = [tensor_spec(node) for node in self._session.get_inputs()]
        self.outputs: Sequence[TensorSpec] = [tensor_spec(node) for node in self._session.get_outputs()]
        self._run = self._session.run
        self._names = [spec.name for spec in self.outputs]

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Every output, batch axis first."""
        outputs: list[Array] = self._run(self._names, batch)
        return outputs

    def close(self) -> Sequence[Any]:
        """Drop the session, and with it its threads and memory."""
        del self._run, self._session
        return ()


def onnx_file(model: Model) -> Path:
    """The model's ``.onnx`` file. Raises UserError when the manifest names none."""
    if not model.files:
        raise UserError(f"{model.name}: the manifest names no model file", "Add an .onnx file under model.files.")
    return model.files[0]


def open_session(path: Path, device: str, options: Mapping[str, Any]) -> ort.InferenceSession:
    """A session for a file. Raises UserError for a device that is not there, or a file that ONNX Runtime refuses."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options["intra_op_num_threads"] or 0
    settings.inter_op_num_threads = options["inter_op_num_threads"]
    settings.execution_mode = _MODES[options["execution_mode"]]
    settings.graph_optimization_level = _LEVELS[options["graph_optimization_level"]]
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(options["allow_spinning"])))
    settings.log_severity_level = 3  # errors; warnings about the host's missing GPU say nothing about the model
    providers = providers_for(device)
    try:
        session = ort.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise UserError(
            f"ONNX Runtime cannot load {path.name}: {error}", "Check that it is an .onnx file, and complete."
        ) from error
    check_device(session, device)
    return session


def providers_for(device: str) -> list[Any]:
    """The execution providers of a device, first choice first. Raises UserError for a device that is not there."""
    kind, _, number = device.partition(":")
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if kind == "cuda" and "CUDAExecutionProvider" in ort.get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": number or "0"}), "CPUExecutionProvider"]
    remedy = f"Devices here: {', '.join(available_devices())}."
    if kind == "cuda":
        remedy += " For CUDA: pip uninstall onnxruntime && pip install onnxruntime-gpu."
    raise UserError(f"ONNX Runtime {ort.__version__} has no device {device!r} here", remedy)


def check_device(session: ort.InferenceSession, device: str) -> None:
    """Raise UserError when ONNX Runtime fell back to the CPU, which it does with no more than a warning."""
    if device != "cpu" and "CUDAExecutionProvider" not in session.get_providers():
        raise UserError(f"ONNX Runtime could not open {device!r} and fell back to the CPU", "Check driver and CUDA.")


def available_devices() -> list[str]:
    """``cpu``, and ``cuda`` when this build carries the CUDA provider (whether a GPU answers shows at load)."""
    return ["cpu", *(["cuda"] if "CUDAExecutionProvider" in ort.get_available_providers() else [])]


def tensor_spec(node: Any) -> TensorSpec:
    """ONNX Runtime's description of an input or output; symbolic dimensions are free axes."""
    if node.type not in _DTYPES:
        raise UserError(f"{node.name!r} is a {node.type}, which mlharness cannot feed", "Only tensors of numbers.")
    return TensorSpec(node.name, _DTYPES[node.type], tuple(n if isinstance(n, int) else None for n in node.shape))
