"""Predicting on a GPU: a stream for each predictor, page-locked memory for copies, and recorded graphs.

Written with care and not yet run on a GPU; README.md says so, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mlharness.errors import UserError
from mlharness.providers import Array
from mlharness_torch.tensors import flatten

_WARM_UP_CALLS = 3
_MOST_GRAPHS = 16
_Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Recorded:
    """A graph, and the tensors on the device that it reads and writes."""

    graph: Any
    inputs: dict[str, torch.Tensor]
    outputs: list[torch.Tensor]


class CudaRunner:
    """Arrays to arrays by way of a GPU.

    Copies in, the model, and copies out follow each other on a stream of this predictor's own, so that predictors of
    several threads overlap; the host waits once, at the end, without the interpreter's lock.
    """

    def __init__(
        self, call: Any, place: torch.device, wider: frozenset[torch.dtype], options: Mapping[str, Any]
    ) -> None:
        if options["cuda_graphs"] and options["compile"] in ("reduce-overhead", "max-autotune"):
            raise UserError(f"cuda_graphs: compile={options['compile']} records graphs itself", "Use one of the two.")
        self._call, self._place, self._wider = call, place, wider
        self._stream = torch.cuda.Stream(place)
        # What loading put on the default stream must be there before this stream reads it.
        self._stream.wait_stream(torch.cuda.current_stream(place))
        self._pinned = options["pinned_memory"]
        self._graphs: dict[_Shapes, Recorded] | None = {} if options["cuda_graphs"] else None
        self._held: dict[str, torch.Tensor] = {}

    def __call__(self, batch: Mapping[str, Array]) -> list[Array]:
        """The outputs for a batch."""
        with torch.cuda.device(self._place), torch.cuda.stream(self._stream):
            hosted = {name: self._hosted(name, batch[name]) for name in self._call.names}
            found = self._compute(hosted)
            outputs = [self._fetch(tensor) for tensor in found]
            self._stream.synchronize()
        return [tensor.numpy() for tensor in outputs]

    def _hosted(self, name: str, array: Array) -> torch.Tensor:
        """The array as a tensor of the host, in page-locked memory when that is wanted: it is used again."""
        tensor = torch.from_numpy(array)
        if not self._pinned:
            return tensor
        held = self._held.get(name)
        if held is None or held.shape[1:] != tensor.shape[1:] or len(held) < len(tensor):
            held = self._held[name] = torch.empty_like(tensor, pin_memory=True)
        # The stream was waited for at the end of the last call: nobody reads what is overwritten.
        return held[: len(tensor)].copy_(tensor)

    def _compute(self, hosted: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        if self._graphs is None:
            return flatten(self._call(self._sent(hosted)))
        shapes = tuple(tuple(tensor.shape) for tensor in hosted.values())
        recorded = self._graphs.get(shapes)
        if recorded is None:
            if len(self._graphs) >= _MOST_GRAPHS:  # each holds memory for all that flows in it
                return flatten(self._call(self._sent(hosted)))
            recorded = self._graphs[shapes] = self._record(self._sent(hosted))
        for name, tensor in hosted.items():
            recorded.inputs[name].copy_(tensor, non_blocking=self._pinned)
        recorded.graph.replay()
        return recorded.outputs

    def _sent(self, hosted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: tensor.to(self._place, non_blocking=self._pinned) for name, tensor in hosted.items()}

    def _record(self, inputs: dict[str, torch.Tensor]) -> Recorded:
        """Record the model on these inputs, after calls that let libraries choose and allocate what they need."""
        for _ in range(_WARM_UP_CALLS):
            self._call(dict(inputs))
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Only this thread's calls are restricted while it records: other predictors go on.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            outputs = flatten(self._call(dict(inputs)))
        return Recorded(graph, inputs, outputs)

    def _fetch(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy on the host that is complete when the stream has been waited for; the caller may keep it."""
        if tensor.dtype in self._wider:
            tensor = tensor.float()
        tensor = tensor.detach().contiguous()
        target = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=self._pinned)
        return target.copy_(tensor, non_blocking=self._pinned)
