"""How large a loaded model is: its parameters, and the multiply-adds of one sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from mlharness.providers import Array, Complexity

_FLOPS_A_MULTIPLY_ADD = 2


def measure(predictor: Any, batch: Mapping[str, Array]) -> Complexity:
    """Parameters, and the multiply-adds of convolutions and matrix products for one sample of ``batch``.

    The model itself is called, in float32 and not compiled. Attention is taken apart for it, since PyTorch's fused
    operator hides its products.
    """
    module = predictor.module
    place = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))
    tensors = {name: torch.from_numpy(array).to(place) for name, array in batch.items()}
    samples = next(iter(batch.values())).shape[0]
    arguments = [tensors[name] for name in predictor.positional]
    keywords = {key: tensors[name] for key, name in predictor.keywords}
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        # Under inference mode some operators would stay whole, and none inside would be counted.
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(*arguments, **keywords)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    total = counter.get_total_flops() // _FLOPS_A_MULTIPLY_ADD // samples
    return Complexity(count_parameters(module), total or None)


def count_parameters(module: torch.nn.Module) -> int:
    """The elements of all parameters; for a frozen TorchScript, which has none left, those of its constant floats."""
    count: int = sum(parameter.numel() for parameter in module.parameters())
    if count or not isinstance(module, torch.jit.ScriptModule):
        return count
    graph = module.inlined_graph  # made anew each time; what it holds is gone with it
    constants = (node.output() for node in graph.findAllNodes("prim::Constant"))
    tensors = (value.toIValue() for value in constants if value.type().kind() == "TensorType")
    return sum(tensor.numel() for tensor in tensors if tensor is not None and tensor.is_floating_point())
