"""A PyTorch model on one device as a predictor."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mlharness.errors import UserError
from mlharness.providers import Array, Model, TensorSpec
from mlharness_torch.device import find_device, set_threads
from mlharness_torch.loading import Loaded, load_model
from mlharness_torch.tensors import ONLY_WIDER, describe, dtype_name, flatten, named, torch_dtype

_IMAGE_AXES = 4
_COMPILERS = ("g++", "clang++", "c++")


class TorchPredictor:
    """A model in inference mode. ``predict`` releases the interpreter's lock inside every operator."""

    def __init__(self, model: Model, device: str, options: Mapping[str, Any]) -> None:
        place = find_device(device)
        set_threads(options)
        loaded = load_model(model)
        self.module = prepare(loaded.module, place, options["channels_last"])
        self.positional, self.keywords = loaded.positional, loaded.keywords
        self.inputs: Sequence[TensorSpec] = loaded.inputs
        check_layout(self.inputs, options["channels_last"])
        narrow = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(options["precision"])
        wider = ONLY_WIDER if narrow is None else ONLY_WIDER | {narrow}
        self._call = Call(self.module, loaded, autocast(place, narrow), options["channels_last"])
        with torch.inference_mode():
            self.outputs: Sequence[TensorSpec] = find_outputs(model.name, loaded, self._call, place, wider)
        self._place, self._wider, self._output_name = place, wider, loaded.output_name
        if options["compile"] != "none":
            self._call.module = compiled(self.module, place, options["compile"])
        self._run: Callable[[Mapping[str, Array]], list[Array]]
        if place.type == "cuda":
            from mlharness_torch.cuda import CudaRunner

            self._run = CudaRunner(self._call, place, wider, options)
        else:
            self._run = CpuRunner(self._call, wider)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Every output, batch axis first; a reduced precision comes back as float32."""
        with torch.inference_mode():
            if not self.outputs:
                self._learn_outputs(batch)
            return self._run(batch)

    def _learn_outputs(self, batch: Mapping[str, Array]) -> None:
        """Call the model once more, for what it returns: where nobody said what it takes, its first batch tells."""
        tensors = {name: torch.from_numpy(array).to(self._place) for name, array in batch.items()}
        found = named(self._call(tensors), self._output_name)
        self.outputs = tuple(TensorSpec(key, _dtype(tensor, self._wider), ()) for key, tensor in found)

    def close(self) -> Sequence[Any]:
        """Drop the model, and with it its memory."""
        del self._run, self._call, self.module
        return ()


class Call:
    """Calls a model with tensors by their inputs' names, in its precision and memory format.

    ``module`` may be replaced by its compiled self.
    """

    def __init__(
        self, module: Any, loaded: Loaded, precision: contextlib.AbstractContextManager[Any], channels_last: bool
    ) -> None:
        self.module = module
        self.names = [spec.name for spec in loaded.inputs]
        self._positional, self._keywords = loaded.positional, loaded.keywords
        self._precision = precision
        self._images = [
            spec.name for spec in loaded.inputs if channels_last and len(spec.shape) == _IMAGE_AXES
        ]  # fmt: skip

    def __call__(self, tensors: dict[str, torch.Tensor]) -> Any:
        """What the model returns, as it returns it."""
        for name in self._images:
            tensors[name] = tensors[name].contiguous(memory_format=torch.channels_last)
        arguments = [tensors[name] for name in self._positional]
        with self._precision:
            return self.module(*arguments, **{key: tensors[name] for key, name in self._keywords})


class CpuRunner:
    """Arrays to arrays without a copy: PyTorch works on the batch's own memory, and the outputs are its own."""

    def __init__(self, call: Call, wider: frozenset[torch.dtype]) -> None:
        self._call, self._wider = call, wider

    def __call__(self, batch: Mapping[str, Array]) -> list[Array]:
        """The outputs for a batch."""
        tensors = {name: torch.from_numpy(batch[name]) for name in self._call.names}
        return [as_array(tensor, self._wider) for tensor in flatten(self._call(tensors))]


def as_array(tensor: torch.Tensor, wider: frozenset[torch.dtype]) -> Array:
    """A tensor's memory as an array; float32 for the dtypes in ``wider``, and C order."""
    if tensor.dtype in wider:
        tensor = tensor.float()
    array: Array = tensor.detach().contiguous().numpy()
    return array


def prepare(module: torch.nn.Module, place: torch.device, channels_last: bool) -> torch.nn.Module:
    """The model as it is used: on its device, without gradients, normalising by what it has learnt."""
    if not isinstance(module, torch.fx.GraphModule):  # an exported program is in one mode for good
        module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    if channels_last:
        return module.to(place, memory_format=torch.channels_last)
    return module.to(place)


def autocast(place: torch.device, narrow: torch.dtype | None) -> contextlib.AbstractContextManager[Any]:
    """Computes convolutions and matrix products in a narrower dtype; does nothing for None."""
    if narrow is None:
        return contextlib.nullcontext()
    narrowing: contextlib.AbstractContextManager[Any] = torch.autocast(place.type, narrow)
    return narrowing


def compiled(module: torch.nn.Module, place: torch.device, mode: str) -> Any:
    """The model through torch.compile, for batches of any size; it is compiled when it is first called.

    Raises:
        UserError: a TorchScript, which cannot be compiled again, or no C++ compiler.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise UserError("compile: a TorchScript is compiled already", "Use compile=none, or a torch.export program.")
    if place.type == "cpu" and not any(shutil.which(name) for name in _COMPILERS):
        raise UserError("compile: torch.compile needs a C++ compiler on a CPU", "Install g++, or use compile=none.")
    return torch.compile(module, mode=None if mode == "default" else mode, dynamic=True)


def check_layout(inputs: Sequence[TensorSpec], channels_last: bool) -> None:
    """Raise UserError when channels_last is asked for and no input has channels."""
    if channels_last and not any(len(spec.shape) == _IMAGE_AXES for spec in inputs):
        shapes = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in inputs)
        raise UserError(f"channels_last: no input has four axes ({shapes})", "Leave channels_last out.")


def find_outputs(
    name: str, loaded: Loaded, call: Call, place: torch.device, wider: frozenset[torch.dtype]
) -> tuple[TensorSpec, ...]:
    """The outputs as the format or the manifest declares them; otherwise, and to check that, from a call with zeros.

    No call can be made when an axis other than the batch is free; then the manifest must declare the outputs. Of a
    model whose inputs' shapes or dtypes are open, nothing is known before it is called: there are no outputs yet.

    Raises:
        UserError: the model cannot be called with its inputs, or returns something else than is declared.
    """
    if any(not spec.shape or not spec.dtype for spec in loaded.inputs):
        return loaded.outputs or ()
    if any(size is None for spec in loaded.inputs for size in spec.shape[1:]):
        if loaded.outputs is None:
            raise UserError(f"{name}: an input has a free axis, and no outputs are declared", "Declare the outputs.")
        return loaded.outputs
    zeros = {
        spec.name: torch.zeros([size or 1 for size in spec.shape], dtype=torch_dtype(spec.dtype), device=place)
        for spec in loaded.inputs
    }
    try:
        found = list(named(call(zeros), loaded.output_name))
    except Exception as error:  # whatever a model raises for inputs that are not its own
        told = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise UserError(
            f"{name} cannot be called with its declared inputs: {told}",
            "Correct inputs in the manifest: name, dtype, shape.",
        ) from error
    if not found:
        raise UserError(f"{name} returns no tensor", "Correct the model's code: there is nothing to answer with.")
    fixed = all(spec.shape[0] is not None for spec in loaded.inputs)
    specs = tuple(_widened(describe(key, tensor, fixed), tensor, wider) for key, tensor in found)
    check_declared(name, specs, loaded.outputs)
    if loaded.outputs is None:
        return specs
    return tuple(
        TensorSpec(spec.name, spec.dtype or real.dtype, spec.shape or real.shape)
        for spec, real in zip(loaded.outputs, specs, strict=True)
    )


def _widened(spec: TensorSpec, tensor: torch.Tensor, wider: frozenset[torch.dtype]) -> TensorSpec:
    return TensorSpec(spec.name, _dtype(tensor, wider), spec.shape)


def _dtype(tensor: torch.Tensor, wider: frozenset[torch.dtype]) -> str:
    return "float32" if tensor.dtype in wider else dtype_name(tensor.dtype)


def check_declared(name: str, found: Sequence[TensorSpec], declared: Sequence[TensorSpec] | None) -> None:
    """Raise UserError unless the outputs are as declared, in number, dtype and shape."""
    if declared is None:
        return
    if len(found) != len(declared):
        raise UserError(f"{name} returns {len(found)} outputs, and {len(declared)} are declared", "Correct outputs.")
    for real, spec in zip(found, declared, strict=True):
        sizes = zip(real.shape, spec.shape, strict=False)
        same_rank = not spec.shape or len(real.shape) == len(spec.shape)
        fits = same_rank and all(None in pair or pair[0] == pair[1] for pair in sizes)
        if not fits or (spec.dtype and np.dtype(real.dtype) != np.dtype(spec.dtype)):
            raise UserError(
                f"{name}: the output {spec.name!r} is {real.dtype} {list(real.shape)}, "
                f"and is declared as {spec.dtype} {list(spec.shape)}",
                "Correct outputs in the manifest.",
            )
