"""Frozen GraphDef files, by the names of their input and output layers.

The names are those of the manifest's ``inputs`` and ``outputs``, or, where a manifest calls its tensors otherwise, of
the attributes ``input_layer`` and ``output_layer``: a name, or a list in the order of ``inputs`` and ``outputs``. A
name may end in ``:0``, which is meant without it. Digits that no layer is called are a place among the graph's inputs
or outputs. What neither names is taken from the graph if there is no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Model, TensorSpec
from mlharness.tensors import own_names
from mlharness_tensorflow.computation import Computation, first_line, tensor_spec
from mlharness_tensorflow.process import import_tensorflow

_MANY = 12
"""How many names a message lists."""


def load(path: Path, model: Model, options: Mapping[str, Any]) -> Computation:
    """Load the file. Raises UserError when it is damaged, or has no layer of a name that is asked for."""
    wrapped = import_graph(read_graph(path), path.name)
    layers = {
        "input": own_names(_layers(model, "input", model.inputs), _placeholders(wrapped.graph))
        or _placeholders(wrapped.graph),
        "output": own_names(_layers(model, "output", model.outputs), _ends(wrapped.graph))
        or _only_end(wrapped.graph, path.name),
    }
    feeds = [_tensor(wrapped.graph, layer, path.name, "input") for layer in layers["input"]]
    fetches = [_tensor(wrapped.graph, layer, path.name, "output") for layer in layers["output"]]
    try:
        function = wrapped.prune(feeds, fetches)
    except Exception as error:  # an output that hangs on a placeholder beyond the inputs; the error's class is private
        raise UserError(
            f"{path.name}: {first_line(error)}", f"Inputs of the graph: {_listed(_placeholders(wrapped.graph))}."
        ) from error
    inputs = _described(feeds, layers["input"], model.inputs)
    return Computation(function, inputs, _described(fetches, layers["output"], model.outputs, may_be_open=True))


def read_graph(path: Path) -> Any:
    """The file's GraphDef. Raises UserError when it is none."""
    tf = import_tensorflow()
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError has another address in each of its implementations
        raise UserError(
            f"{path.name} is no frozen graph: {first_line(error)}", "Check that it is a GraphDef (.pb), and complete."
        ) from error
    for node in graph.node:
        node.device = ""  # where its author trained it; here --device decides
    return graph


def import_graph(graph: Any, name: str) -> Any:
    """The graph as a function that can be pruned to inputs and outputs. Raises UserError when TensorFlow refuses it."""
    tf = import_tensorflow()
    variables = sorted({node.op for node in graph.node} & {"VariableV2", "Variable", "VarHandleOp"})
    if variables:
        raise UserError(
            f"{name} is not frozen: it holds variables ({variables[0]}), whose values are in another file",
            "Freeze it first, or give a SavedModel's folder.",
        )
    try:
        return tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    except Exception as error:  # ValueError, NotFoundError, InvalidArgumentError: all are the file's
        raise UserError(
            f"TensorFlow cannot use the graph of {name}: {first_line(error)}", "Check that the file is complete."
        ) from error


def _layers(model: Model, side: str, declared: Sequence[TensorSpec]) -> list[str]:
    """The names of the layers on one side, as the manifest gives them; none when it gives none."""
    given = model.attributes.get(f"{side}_layer")
    if given is None:
        return [spec.name for spec in declared]
    layers = [given] if isinstance(given, str) else given
    if not isinstance(layers, list | tuple) or not all(isinstance(layer, str) and layer for layer in layers):
        raise UserError(f"{model.name}: {side}_layer is {given!r}", "Give a layer's name, or a list of names.")
    if declared and len(layers) != len(declared):
        raise UserError(
            f"{model.name}: {side}_layer names {len(layers)} layers, and {side}s declares {len(declared)}",
            f"Name one layer for each of {side}s, in the same order.",
        )
    return list(layers)


def _described(
    tensors: Sequence[Any], layers: Sequence[str], declared: Sequence[TensorSpec], may_be_open: bool = False
) -> list[TensorSpec]:
    """The tensors under the manifest's names, or the layers' own.

    An output that is declared without a shape may have one that nobody knows before it is computed.
    """
    if not declared:
        return [tensor_spec(layer, tensor) for layer, tensor in zip(layers, tensors, strict=True)]
    return [
        tensor_spec(name, tensor, spec.shape or (() if may_be_open else None))
        for name, spec, tensor in zip(_names(layers, declared), declared, tensors, strict=True)
    ]


def _names(layers: Sequence[str], declared: Sequence[TensorSpec]) -> list[str]:
    """The declared names; of a tensor that is declared by its place, its layer's."""
    return [layer if spec.name.isdecimal() else spec.name for layer, spec in zip(layers, declared, strict=True)]


def _tensor(graph: Any, layer: str, file: str, side: str) -> Any:
    """One layer's tensor. Raises UserError that says which layer is likely meant."""
    name, _, number = layer.partition(":")
    try:
        return graph.get_tensor_by_name(f"{name}:{number or 0}")
    except (KeyError, ValueError) as error:
        likely = _placeholders(graph) if side == "input" else _ends(graph)
        others = [operation.name for operation in graph.get_operations()]
        meant = did_you_mean(layer, others).partition(" Known:")[0]
        hint = f"{meant} " if meant.startswith("Did you mean") else ""
        raise UserError(
            f"{file} has no {side} layer {layer!r}", f"{hint}The graph's {side}s are likely: {_listed(likely)}."
        ) from error


def _placeholders(graph: Any) -> list[str]:
    """What must be fed."""
    return [operation.name for operation in graph.get_operations() if operation.type == "Placeholder"]


def _ends(graph: Any) -> list[str]:
    """What computes something that nothing else uses."""
    return [
        operation.name
        for operation in graph.get_operations()
        if operation.outputs
        and operation.type not in ("Const", "Placeholder")
        and not any(tensor.consumers() for tensor in operation.outputs)
    ]


def _only_end(graph: Any, file: str) -> list[str]:
    """The one output of a graph. Raises UserError when there are several."""
    ends = _ends(graph)
    if len(ends) != 1:
        raise UserError(
            f"{file} has {len(ends)} layers that could be its output", f"Name them under outputs: {_listed(ends)}."
        )
    return ends


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MANY])) or "none"
    return f"{shown} and {len(names) - _MANY} more" if len(names) > _MANY else shown
