"""SavedModel folders, by one of their signatures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Model
from mlharness_tensorflow.computation import Computation, count_trainable, first_line, tensor_spec
from mlharness_tensorflow.process import import_tensorflow


def load(path: Path, model: Model, options: Mapping[str, Any]) -> Computation:
    """Load the folder, or the folder of its ``saved_model.pb``. Raises UserError when it holds no such signature."""
    folder = path if path.is_dir() else path.parent
    tf = import_tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # what TensorFlow raises for a damaged folder shares no base class
        raise UserError(
            f"TensorFlow cannot load {folder.name}: {first_line(error)}",
            "Check that it is a SavedModel's folder, with saved_model.pb and variables, and complete.",
        ) from error
    name = options["signature"]
    if name not in loaded.signatures:
        raise UserError(f"{folder.name} has no signature {name!r}", did_you_mean(name, loaded.signatures))
    function = loaded.signatures[name]
    inputs = [tensor_spec(key, spec) for key, spec in sorted(function.structured_input_signature[1].items())]
    outputs = [
        tensor_spec(key, spec, declared_shape(model, key))
        for key, spec in sorted(function.structured_outputs.items())
    ]  # fmt: skip
    return Computation(by_position(function, inputs), inputs, outputs, count_trainable(function.variables), loaded)


def by_position(function: Any, inputs: list[Any]) -> Any:
    """The signature's function with its inputs in order instead of by name."""
    tf = import_tensorflow()
    names = [spec.name for spec in inputs]
    signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in inputs]

    def call(*tensors: Any) -> Any:
        found = function(**dict(zip(names, tensors, strict=True)))
        return [found[key] for key in sorted(found)]

    return tf.function(call, input_signature=signature, autograph=False).get_concrete_function()


def declared_shape(model: Model, name: str) -> tuple[int | None, ...] | None:
    """The shape that the manifest gives an output, for graphs that do not know it."""
    return next((spec.shape for spec in model.outputs if spec.name == name), None)
