"""Inputs and outputs of a published model: names of layers or their places, element types, dimensions, layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness.manifest.located import KeyPath
from mlharness.manifest.published.draft import Draft

_CHANNELS = (1, 3, 4)
_TRANSLATED = {"inputs": ("input_layer", "element_type", "dimensions"), "outputs": ("output_layer",)}
_LAYER = "_layer"


def put_tensors(draft: Draft) -> None:
    """``inputs``, and ``outputs`` where layers are named.

    Outputs without a layer are the model's own, in its order. What a file says of their element types is not taken
    over: published files are often wrong there.
    """
    for index, tensor in enumerate(draft.old.get("inputs") or ()):
        put_input(draft, index, tensor.get("parameters") or {})
        keep_details(draft, "inputs", index, tensor, ("inputs", index))
    outputs = draft.old.get("outputs")
    if outputs is None and draft.old.get("output"):
        put_single_output(draft)
        return
    layers = [(tensor.get("parameters") or {}).get("output_layer") for tensor in outputs or ()]
    for index, tensor in enumerate(outputs or ()):
        if any(layer is not None for layer in layers):
            put_name(draft, "outputs", index, layers[index])
        keep_details(draft, "outputs", index, tensor, ("outputs", index))


def put_input(draft: Draft, index: int, parameters: Mapping[str, Any]) -> None:
    """One of ``inputs``: what the file leaves out is the model's business."""
    key, origin = ("inputs", index), ("inputs", index, "parameters")
    draft.place(("inputs",), "inputs")
    draft.place(key, *key)
    put_name(draft, "inputs", index, parameters.get("input_layer"))
    if "element_type" in parameters:
        draft.put((*key, "dtype"), parameters["element_type"], *origin, "element_type")
    if parameters.get("dimensions"):
        sizes = in_layout(parameters["dimensions"], str(parameters.get("layout", "")).upper())
        draft.place((*key, "shape"), *origin, "dimensions")
        for place, size in enumerate((None, *sizes)):
            draft.put((*key, "shape", place), size, *origin, "dimensions")


def put_name(draft: Draft, side: str, index: int, layer: str | int | None) -> None:
    """The name of a layer, or the place of a tensor among the model's."""
    name = str(index if layer is None else layer)
    parameter = f"{side.removesuffix('s')}{_LAYER}"
    origin: KeyPath = (side, index, "parameters", parameter) if layer is not None else (side, index)
    draft.place((side,), side)
    draft.place((side, index), side, index)
    draft.put((side, index, "name"), name, *origin)


def in_layout(dimensions: Sequence[int | None], layout: str) -> list[int | None]:
    """The dimensions in memory's order: published files put the channels first, whatever the layout says."""
    sizes = [None if size is None or size < 1 else int(size) for size in dimensions]
    if len(sizes) != len("CHW"):
        return sizes
    first, last = sizes[0] in _CHANNELS, sizes[-1] in _CHANNELS
    if layout.endswith("HWC") and first and not last:
        return [*sizes[1:], sizes[0]]
    if layout.endswith("CHW") and last and not first:
        return [sizes[-1], *sizes[:-1]]
    return sizes


def put_single_output(draft: Draft) -> None:
    """``output``, a mapping, names each of the outputs by a parameter that ends in ``_layer``."""
    output = draft.old["output"]
    parameters = output.get("parameters") or {}
    layers = [key for key, value in parameters.items() if key.endswith(_LAYER) and isinstance(value, str | int)]
    for index, layer in enumerate(layers):
        origin = ("output", "parameters", layer)
        draft.place(("outputs",), "output")
        draft.place(("outputs", index), *origin)
        draft.put(("outputs", index, "name"), str(parameters[layer]), *origin)
    draft.keep(("outputs", 0), output, "output")
    draft.warn("deprecated: write outputs, a list", "output")


def keep_details(draft: Draft, side: str, index: int, tensor: Mapping[str, Any], origin: KeyPath) -> None:
    """What our format has no key for: the type, a description, the colour mode, mean and scale, and so on."""
    for name, value in tensor.items():
        if name != "parameters":
            draft.keep((side, index, name), value, *origin, name)
    for name, value in (tensor.get("parameters") or {}).items():
        if name not in _TRANSLATED[side]:
            draft.keep((side, index, name), value, *origin, "parameters", name)
