"""A zoo model's file as an ONNX file of the very same weights."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch

from mlharness.errors import UserError
from mlharness_torch.complexity import count_parameters
from mlharness_torch.weights import load_into, read_safetensors
from mlharness_torch.zoo.architecture import INPUT, OUTPUT, build_architecture, zoo_tensors
from mlharness_torch.zoo.description import read_description

_OPSET = 18
"""What PyTorch's exporter is written for: a newer one would be converted to."""
_IR_VERSION = 8
"""The one of that opset's time, which ONNX Runtime has read since 1.14; the exporter's own needs a newer one."""
_EXAMPLES = 2
"""Samples in the example: with one, the exporter would take the batch for a fixed size."""


def write_onnx(weights: Path, path: Path) -> None:
    """Write the ONNX file of a ``.safetensors`` file of a zoo.

    Its input is ``images``, its output ``logits``, its batch axis free. Batch normalisations are folded into the
    convolutions before them, as any runtime would; how many parameters there were before says the metadata entry
    ``mlharness.parameters``.

    Raises:
        UserError: the exporter's packages are not installed, or it cannot export this model.
    """
    try:
        import onnx  # noqa: F401  # only whether they are there is asked
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"exporting to ONNX needs the package {error.name}", f"Run: pip install {error.name}"
        ) from error
    tensors, metadata = read_safetensors(weights)
    found = read_description(metadata)
    module = build_architecture(found).eval()
    load_into(module, tensors, found.uri)
    (images,) = zoo_tensors(found)
    program = export(module, torch.zeros(_EXAMPLES, *(size or 1 for size in images.shape[1:])), weights.stem)
    program.model.ir_version = _IR_VERSION
    program.model.metadata_props["mlharness.uri"] = found.uri
    program.model.metadata_props["mlharness.parameters"] = str(count_parameters(module))
    for node in program.model.graph:
        node.metadata_props.clear()  # the paths of this machine's Python files
    program.save(str(path), external_data=False)


def export(module: torch.nn.Module, images: torch.Tensor, name: str) -> Any:
    """The ONNX program of a model of images. Raises UserError when PyTorch cannot export it."""
    said = io.StringIO()  # the exporter prints what it does
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said):
            warnings.simplefilter("ignore")  # of the exporter's own parts about each other
            return torch.onnx.export(
                module, (images,), input_names=[INPUT], output_names=[OUTPUT], opset_version=_OPSET, dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},), external_data=False, verbose=False,
            )  # fmt: skip
    except Exception as error:  # what the exporter raises depends on the stage that fails
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"PyTorch {torch.__version__} cannot export {name} to ONNX: {told}",
            "Run the model with framework torch, or report it to PyTorch.",
        ) from error
