"""A network in MXNet: symbol and parameters that belong together, and the inputs that are left."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import TensorSpec
from mlharness.tensors import own_names
from mlharness_mxnet.engine import reason
from mlharness_mxnet.files import Saved
from mlharness_mxnet.graph import Node, parse_document, parse_graph

Shape = tuple[int, ...]
_DTYPES = frozenset({"float64", "float32", "float16", "int64", "int32", "int8", "uint8", "bool"})
_LABEL = "_label"
_OUTPUT = "_output"
_EXPORT = "Export both anew: net.export(PATH) in Gluon, model.save_checkpoint in Module."


@dataclass(frozen=True)
class Network:
    """``arguments`` are what training learns, ``auxiliary`` running statistics; both are MXNet arrays by name."""

    symbol: Any
    nodes: tuple[Node, ...]
    arguments: Mapping[str, Any]
    auxiliary: Mapping[str, Any]
    origin: str

    @property
    def free(self) -> list[str]:
        """The arguments without parameters: inputs, and labels, which inference does not need."""
        return [name for name in self.symbol.list_arguments() if name not in self.arguments]

    @cached_property
    def can_be_fused(self) -> bool:
        """False when an output also goes into another operator: MXNet 1.9.1 fuses these too, to wrong values."""
        nodes, heads = parse_document(self.symbol.tojson(), self.origin)
        return heads.isdisjoint(number for node in nodes for number in node.inputs)

    @property
    def likely_inputs(self) -> list[str]:
        """The free arguments that are no labels."""
        return [name for name in self.free if not name.endswith(_LABEL)]

    def infer_shapes(self, inputs: Mapping[str, Shape]) -> tuple[Sequence[Shape], Sequence[Shape]]:
        """Shapes of all arguments and of the outputs. Raises UserError when the inputs do not fit or do not suffice."""
        known = {**{name: array.shape for name, array in self.arguments.items()}, **inputs}
        given = ", ".join(f"{name} {list(shape)}" for name, shape in inputs.items())
        try:
            arguments, outputs, _ = self.symbol.infer_shape(**known)
        except Exception as error:  # MXNet's error, or ctypes' for a size that is no 32-bit number
            raise UserError(
                f"{self.origin} cannot take {given}: {reason(error)}", "Correct inputs in the manifest."
            ) from error
        if arguments is None or not all(outputs):
            raise UserError(f"{self.origin}: {given} leave shapes unknown", "Declare every input with its shape.")
        return arguments, outputs

    def infer_dtypes(self, inputs: Mapping[str, str]) -> list[str]:
        """The outputs' dtypes. Raises UserError when the inputs' dtypes do not fit the parameters'."""
        known = {name: array.dtype for name, array in self.arguments.items()}
        known.update({name: np.dtype(dtype).type for name, dtype in inputs.items()})
        given = ", ".join(f"{name} {dtype}" for name, dtype in inputs.items())
        foreign = sorted(set(inputs.values()) - _DTYPES)  # which infer_type takes for unknown, and makes float32 of
        if foreign:
            raise UserError(
                f"{self.origin} cannot take {given}: MXNet has no {foreign[0]}", "Correct the dtype in the manifest."
            )
        try:
            _, outputs, _ = self.symbol.infer_type(**known)
        except Exception as error:  # MXNet's error has no public base class but its own, which needs the import
            raise UserError(
                f"{self.origin} cannot take {given}: {reason(error)}", "Correct the dtype in the manifest."
            ) from error
        if outputs is None:
            raise UserError(f"{self.origin}: {given} leave dtypes unknown", "Correct the dtypes in the manifest.")
        return [np.dtype(dtype).name for dtype in outputs]


def load_network(mxnet: Any, saved: Saved, context: Any) -> Network:
    """Symbol and parameters in MXNet. Raises UserError when they are damaged, or do not belong together."""
    nodes = parse_graph(saved.symbol, saved.origin)
    try:
        symbol = mxnet.sym.load_json(saved.symbol)
    except mxnet.MXNetError as error:
        raise UserError(f"MXNet cannot read {saved.origin}: {reason(error)}", _EXPORT) from error
    arguments, auxiliary = load_parameters(mxnet, saved, context)
    wanted = set(symbol.list_arguments())
    missing = sorted(set(symbol.list_auxiliary_states()) - set(auxiliary))
    foreign = sorted(arguments) if not wanted & set(arguments) else []
    if missing or foreign:
        what = f"lack {missing[0]!r}" if missing else f"hold {foreign[0]!r}, which it does not have"
        raise UserError(f"the parameters do not belong to {saved.origin}: they {what}", _EXPORT)
    used = {name: array for name, array in arguments.items() if name in wanted}
    return Network(symbol, nodes, used, auxiliary, saved.origin)


def load_parameters(mxnet: Any, saved: Saved, context: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments and auxiliary states by name. Raises UserError when the parameters are damaged, or of another form."""
    try:
        arrays = mxnet.nd.load_frombuffer(saved.parameters)
    except (mxnet.MXNetError, UnicodeDecodeError, AssertionError) as error:
        raise UserError(f"the parameters of {saved.origin} are damaged: {reason(error)}", _EXPORT) from error
    kinds: dict[str, dict[str, Any]] = {"arg": {}, "aux": {}}
    for key in arrays if isinstance(arrays, dict) or not arrays else [""]:  # no arrays come as an empty list
        kind, _, name = key.partition(":")
        if kind not in kinds:
            raise UserError(f"the parameters of {saved.origin} are not those of a symbol ({key!r})", _EXPORT)
        kinds[kind][name] = arrays[key].as_in_context(context)
    return kinds["arg"], kinds["aux"]


def input_specs(network: Network, declared: Sequence[TensorSpec]) -> list[TensorSpec]:
    """The inputs as the manifest declares them, or the only one. Raises UserError when they are not the network's."""
    likely = network.likely_inputs
    if not declared:
        return [own_spec(network)]
    named = own_names([spec.name for spec in declared], likely)
    for name in named:
        if name not in network.free:
            raise UserError(f"{network.origin} has no input layer {name!r}", did_you_mean(name, likely))
    for name in likely:
        if name not in named:
            raise UserError(
                f"{network.origin}: {name!r} is neither among the parameters nor among the manifest's inputs",
                f"Declare the inputs {', '.join(likely)} with their shapes, or use the right parameters.",
            )
    return [completed(network, replace(spec, name=name)) for name, spec in zip(named, declared, strict=True)]


def completed(network: Network, spec: TensorSpec) -> TensorSpec:
    """A declared input; float32 unless it says its dtype. Raises UserError when nothing says its shape."""
    shape = spec.shape or own_spec(network).shape
    return TensorSpec(spec.name, spec.dtype or "float32", shape)


def own_spec(network: Network) -> TensorSpec:
    """The only input, when the symbol states its shape. Raises UserError naming the likely inputs otherwise."""
    likely = network.likely_inputs
    attributes = network.symbol.attr_dict().get(likely[0], {}) if len(likely) == 1 else {}
    if "__shape__" not in attributes:
        raise UserError(
            f"{network.origin} does not say what it takes, and the manifest declares no inputs with their shapes",
            f"Declare inputs with name, dtype and shape; the likely input layers: {', '.join(likely) or 'none'}.",
        )
    shape = tuple(int(size) if size > 0 else None for size in ast.literal_eval(attributes["__shape__"]))
    return TensorSpec(likely[0], "float32", (None, *shape[1:]))


def select_outputs(network: Network, declared: Sequence[TensorSpec]) -> tuple[Network, list[str]]:
    """The network with the declared outputs, any layers of it, or its own, and their names.

    MXNet calls the output of the layer ``prob`` ``prob_output``; a manifest may write either.
    """
    if not declared:
        return network, [name.removesuffix(_OUTPUT) for name in network.symbol.list_outputs()]
    own = [name.removesuffix(_OUTPUT) for name in network.symbol.list_outputs()]
    names = own_names([spec.name for spec in declared], own)
    layers = network.symbol.get_internals()
    known = {name.removesuffix(_OUTPUT): name for name in layers.list_outputs()}
    for name in names:
        if name.removesuffix(_OUTPUT) not in known:
            raise UserError(f"{network.origin} has no output layer {name!r}", did_you_mean(name, own))
    full = [known[name.removesuffix(_OUTPUT)] for name in names]
    if full == network.symbol.list_outputs():
        return network, names
    import mxnet

    symbol = mxnet.sym.Group([layers[name] for name in full])
    return Network(symbol, network.nodes, network.arguments, network.auxiliary, network.origin), names
