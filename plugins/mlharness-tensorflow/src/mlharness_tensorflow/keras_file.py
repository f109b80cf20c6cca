"""``.keras`` files. What they say is checked before Keras reads them: none brings code of its own into the process."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlharness.errors import UserError
from mlharness.providers import Model
from mlharness_tensorflow.computation import Computation, count_trainable, first_line, tensor_spec
from mlharness_tensorflow.process import import_keras, import_tensorflow

_REFUSED = ("keras.utils", "keras.config", "keras.saving", "keras.src.utils", "keras.src.saving", "keras.src.backend")
"""Parts of Keras whose functions do more than compute: fetch, unpack, read files, or switch its own checks off."""
_LARGEST_CONFIG = 64 << 20


def load(path: Path, model: Model, options: Mapping[str, Any]) -> Computation:
    """Load the file. Raises UserError when it is damaged, brings code, or has no fixed inputs and outputs."""
    check_config(read_config(path), path.name)
    tf, keras = import_tensorflow(), import_keras()
    network = _read(path)
    tensors = getattr(network, "inputs", None)
    if not tensors or not getattr(network, "outputs", None):
        raise UserError(f"{path.name}: the model does not say what goes in", "Save it after it was called or built.")
    inputs = [tensor_spec(name, tensor) for name, tensor in zip(_names(tensors), _of_tf(tensors), strict=True)]
    structure = network.input

    def call(*arguments: Any) -> Any:
        packed = keras.tree.pack_sequence_as(structure, arguments)
        return keras.tree.flatten(network(packed, training=False))

    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=f"input_{n}") for n, spec in enumerate(inputs)]
    function = tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
    names = unique(list(network.output_names))
    outputs = [tensor_spec(name, tensor) for name, tensor in zip(names, function.outputs, strict=True)]
    return Computation(function, inputs, outputs, count_trainable(function.variables), network)


def read_config(path: Path) -> Any:
    """The model's description. Raises UserError when the file is no complete ``.keras`` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                raise UserError(f"{path.name}: its config.json is too large", "Do not use this file.")
            return json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise UserError(
            f"{path.name} is no complete .keras file: {first_line(error)}", "Check that it is one, and complete."
        ) from error


def check_config(config: Any, name: str) -> None:
    """Raise UserError for a model that needs code which is not Keras' own, or that brings some."""
    for entry in _objects(config):
        kind, module = entry.get("class_name"), str(entry.get("module") or "")
        if kind in ("__lambda__", "Lambda"):
            raise UserError(
                f"{name} holds a Lambda layer, whose code would be executed", "Save the model without Lambda layers."
            )
        of_keras = module in ("", "builtins") or module.split(".")[0] == "keras"
        if not of_keras or module.startswith(_REFUSED):
            raise UserError(
                f"{name} needs {kind!r} of the module {module!r}, which is no part of a network of Keras",
                "Build the model from Keras' own layers, or save it as a SavedModel.",
            )


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of a description that names a class, however deep; a list in place of recursion bears any depth."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _read(path: Path) -> Any:
    """The Keras model. Keras reads a file only under a name that ends in ``.keras``."""
    keras = import_keras()
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "model.keras"
        link.symlink_to(path.absolute())
        try:
            return keras.models.load_model(link, compile=False, safe_mode=True)
        except Exception as error:  # what Keras, h5py and zipfile raise shares no base class
            raise UserError(
                f"Keras cannot load {path.name}: {first_line(error)}",
                "Check that it is a .keras file of Keras' own layers, and complete.",
            ) from error


def _of_tf(tensors: list[Any]) -> list[Any]:
    """Keras' symbolic tensors as TensorFlow's."""
    tf = import_tensorflow()
    return [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]


def _names(tensors: list[Any]) -> list[str]:
    return unique([str(tensor.name) for tensor in tensors])


def unique(names: list[str]) -> list[str]:
    """The names, with a number behind those that stand there before."""
    return [
        f"{name}_{names[:place].count(name)}" if name in names[:place] else name for place, name in enumerate(names)
    ]
