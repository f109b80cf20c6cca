"""Which kind of model a path holds, told by its contents: what is fetched by checksum has no suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlharness.errors import UserError
from mlharness.providers import Model
from mlharness_tensorflow import frozen_graph, keras_file, saved_model
from mlharness_tensorflow.computation import Computation

_TAKEN = "Give a SavedModel folder, a .keras file, or a frozen GraphDef (.pb)."
_KNOWN: Mapping[bytes, str] = {
    b"\x89HDF": "an HDF5 file (.h5), which holds a model of Keras 2",
    b"\x08": "a SavedModel's saved_model.pb without its folder, or an ONNX file",
    b"\x1f\x8b": "a gzip archive",
    b"TFL3": "a TensorFlow Lite file",
}
_REMEDIES: Mapping[bytes, str] = {
    b"\x89HDF": "Load it with Keras and save it as .keras.",
    b"\x08": "Name the SavedModel's folder; run an ONNX file with the framework onnxruntime.",
}


def load_computation(model: Model, options: Mapping[str, Any]) -> Computation:
    """Load the model's first file. Raises UserError when there is none, or when it is not what TensorFlow runs."""
    if not model.files:
        raise UserError(f"{model.name}: the manifest names no model file", _TAKEN)
    path = model.files[0]
    if not path.exists():
        raise UserError(f"{model.name}: there is no file {path}", "Check the path in the manifest.")
    return _loader(path)(path, model, options)


def _loader(path: Path) -> Callable[[Path, Model, Mapping[str, Any]], Computation]:
    """What reads the path."""
    if path.is_dir() or _is_saved_model_pb(path):
        return saved_model.load
    head = read_head(path)
    if head.startswith(b"PK\x03\x04"):
        return keras_file.load
    for magic, what in _KNOWN.items():
        if head[4:8] == magic or head.startswith(magic):
            raise UserError(f"{path.name} is {what}", _REMEDIES.get(magic, _TAKEN))
    if not head.startswith(b"\n"):  # the first field of a GraphDef: a node
        raise UserError(f"{path.name} is no model that TensorFlow runs", _TAKEN)
    return frozen_graph.load


def _is_saved_model_pb(path: Path) -> bool:
    """True for the file inside a SavedModel's folder, by which the folder may be named."""
    return path.name == "saved_model.pb" and (path.parent / "variables").is_dir()


def read_head(path: Path) -> bytes:
    """A file's first bytes. Raises UserError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Check its permissions.") from error
