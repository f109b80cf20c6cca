"""Seeded random weights whose outputs stay in range, however deep the network is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from mlharness.errors import UserError

_SAMPLES = 2


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """While it lasts, PyTorch's random numbers on the CPU begin at a seed; afterwards they go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def scale_statistics(module: torch.nn.Module, shape: Sequence[int], seed: int, what: str) -> None:
    """Give every batch normalisation a variance that fits what it gets, so that it does normalise.

    A network that was not trained has a variance of 1 everywhere, and its signals grow or vanish from layer to layer.
    One call with random images, float32 [2, *shape], sets each in turn. Variances become powers of two: another
    processor rounds its sums otherwise, and shall find the same weights.

    Raises:
        UserError: the outputs are not finite all the same.
    """
    norms = [one for one in module.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
    hooks = [norm.register_forward_pre_hook(_fit) for norm in norms]
    try:
        with seeded(seed), torch.inference_mode():
            output = module(torch.randn(_SAMPLES, *shape))
    finally:
        for hook in hooks:
            hook.remove()
    if not bool(torch.isfinite(output).all()):
        raise UserError(f"{what}: the outputs of random weights are not finite", "Give another seed.")


def _fit(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
    if norm.running_var is None:
        return
    values = inputs[0].double()
    squares = values.square().mean(dim=[axis for axis in range(values.dim()) if axis != 1])
    norm.running_var.copy_(torch.exp2(torch.log2(squares.clamp_min(1e-12)).round()))
