"""From a manifest's files to a PyTorch model that can be called, chosen by what the files hold."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mlharness.errors import UserError
from mlharness.providers import Model, TensorSpec
from mlharness.tensors import own_names, settle
from mlharness_torch import exported
from mlharness_torch.code import ModelCode, build_model, read_code
from mlharness_torch.formats import Format, recognise
from mlharness_torch.weights import load_into, read_metadata, read_safetensors, read_weights
from mlharness_torch.zoo.architecture import OUTPUT, build_architecture, zoo_tensors
from mlharness_torch.zoo.description import has_description, read_description


@dataclass(frozen=True)
class Loaded:
    """A model on the CPU, and what is known of its tensors.

    ``positional`` are the inputs' names in the order in which the model takes them; ``keywords`` pairs of a parameter
    of the model and an input. ``outputs`` is None when only a call can tell; a single one is then ``output_name``.
    """

    module: torch.nn.Module
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] | None
    positional: tuple[str, ...]
    keywords: tuple[tuple[str, str], ...] = ()
    output_name: str = "output"


def load_model(model: Model) -> Loaded:
    """Load what the manifest names. Raises UserError for files that are not what they should be."""
    if not model.files:
        raise UserError(f"{model.name}: the manifest names no model file", "Add a .pt, .pt2 or .safetensors file.")
    path, code = model.files[0], read_code(model.attributes)
    if code is not None:
        return _with_specs(_from_code(code, model.files), model)
    found = recognise(path)
    if found is Format.TORCHSCRIPT:
        return _with_specs(_torchscript(path), model)
    if found is Format.EXPORTED:
        return _exported(path, model)
    if found is Format.SAFETENSORS:
        return _zoo(path, model)
    raise UserError(
        f"{path.name} is {found.value}, without a model",
        "Name the model's code with attributes: {torch: {model: 'package.module:name'}}, or save a TorchScript.",
    )


def _from_code(code: ModelCode, files: Sequence[Path]) -> torch.nn.Module:
    weights = read_weights(files, code.key)
    module = build_model(code)
    load_into(module, weights, code.model)
    return module


def _torchscript(path: Path) -> torch.nn.Module:
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning):  # before and since PyTorch 2.14
                warnings.simplefilter("ignore", kind)  # it would rather have torch.export; users have files
            module: torch.nn.Module = torch.jit.load(str(path), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        told = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise UserError(f"PyTorch cannot load {path.name}: {told}", "Save or download it again.") from error
    return module


def _exported(path: Path, model: Model) -> Loaded:
    program = exported.load_program(path)
    inputs, positional, keywords = exported.program_inputs(program, path.name)
    outputs = exported.program_outputs(program, [spec.name for spec in model.outputs])
    return Loaded(exported.program_module(program), inputs, outputs, positional, keywords)


def _zoo(path: Path, model: Model) -> Loaded:
    metadata = read_metadata(path)
    if not has_description(metadata):
        raise UserError(
            f"{path.name} holds weights, and does not say of which model",
            "Name the model's code with attributes: {torch: {model: 'package.module:name'}}.",
        )
    found = read_description(metadata)
    module = build_architecture(found)
    load_into(module, read_safetensors(path)[0], f"{found.zoo}'s {found.model}")
    return replace(_with_specs(module, model, zoo_tensors(found)), output_name=OUTPUT)


def _with_specs(module: torch.nn.Module, model: Model, default: Sequence[TensorSpec] = ()) -> Loaded:
    """Inputs as the manifest declares them, since the format carries none; outputs too, if it declares any.

    An input that is declared by its place has the name of the parameter there. A dtype or shape may stay open.
    """
    inputs = named_inputs(model.inputs, parameters_of(module), default) or tuple(default)
    if not inputs:
        raise UserError(
            f"{model.name}: neither {model.files[0].name} nor the manifest says what the inputs are",
            "Add them, as inputs: [{name: images, dtype: float32, shape: [batch, 3, 224, 224]}].",
        )
    positional, keywords = match_parameters([spec.name for spec in inputs], parameters_of(module))
    return Loaded(module, inputs, model.outputs or None, positional, keywords)


def named_inputs(
    declared: Sequence[TensorSpec], parameters: Sequence[str], default: Sequence[TensorSpec]
) -> tuple[TensorSpec, ...]:
    """The declared inputs, by the names of the model's parameters where they are declared by their places."""
    known = settle(declared, default)
    names = own_names([spec.name for spec in known], parameters)
    return tuple(replace(spec, name=name) for spec, name in zip(known, names, strict=True))


def parameters_of(module: Any) -> list[str]:
    """The names of what a model's forward takes; empty when it does not say."""
    if isinstance(module, torch.jit.ScriptModule):
        return [argument.name for argument in module.forward.schema.arguments[1:]]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, one in inspect.signature(module.forward).parameters.items() if one.kind in kinds]


def match_parameters(
    inputs: Sequence[str], parameters: Sequence[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """How inputs are handed over: by name when the model's parameters have all their names, else in their order."""
    if not set(inputs) <= set(parameters):
        return tuple(inputs), ()
    first = list(parameters[: len(inputs)])
    if set(first) == set(inputs):
        return tuple(first), ()
    return (), tuple((name, name) for name in inputs)
