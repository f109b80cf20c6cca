"""One network on one device as a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.providers import Array, Model, TensorSpec
from mlharness_mxnet import engine
from mlharness_mxnet.files import read_files
from mlharness_mxnet.interface import output_specs
from mlharness_mxnet.network import Network, Shape, input_specs, load_network, select_outputs

_MOST_BOUND = 64
"""Executors that are kept, one for each shape of a batch; ragged inputs could bring any number of shapes."""


@dataclass(frozen=True)
class Bound:
    """The executor for one shape of every input; ``inputs`` are its arrays, in the order of the predictor's inputs."""

    executor: Any
    inputs: tuple[Any, ...]


class MxnetPredictor:
    """A symbol with its parameters. ``predict`` releases the interpreter's lock while MXNet works.

    The graph is bound once for each shape of a batch: planned, fused and given memory. The executors share parameters
    and working memory, since one runs at a time.
    """

    def __init__(self, model: Model, device: str, options: Mapping[str, Any]) -> None:
        self._options = options
        self._mxnet = engine.start(
            engine.engine_for(device, options),
            options["threads"] or 1,
            options["worker_threads"],
            options["wait_policy"],
            device,
        )
        self._context = engine.context_of(self._mxnet, device)
        network = load_network(self._mxnet, read_files(model.name, model.files), self._context)
        self.inputs: Sequence[TensorSpec] = input_specs(network, model.inputs)
        self.network, names = select_outputs(network, model.outputs)
        self.outputs: Sequence[TensorSpec] = output_specs(self.network, names, self.inputs)
        self._feeds = [(spec.name, np.dtype(spec.dtype)) for spec in self.inputs]
        self._bound: dict[tuple[Shape, ...], Bound] = {}
        self._latest: Bound | None = None
        _ = self.network.can_be_fused  # found out now, and not when a batch of a new shape is waited for

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """Every output, batch axis first; each is an array of its own, and complete."""
        arrays = [batch[name] for name, _ in self._feeds]
        shapes = tuple([array.shape for array in arrays])
        bound = self._bound.get(shapes) or self._bind(shapes)
        for array, target, (name, dtype) in zip(arrays, bound.inputs, self._feeds, strict=True):
            if array.dtype != dtype:
                raise TypeError(f"{name!r} is {array.dtype}, and the model takes {dtype}")
            target._sync_copyfrom(array)  # what target[:] = array does, which would also stretch another shape
        # asnumpy waits until the operators have run, in whichever engine.
        return [output.asnumpy() for output in bound.executor.forward(is_train=False)]

    def close(self) -> Sequence[Any]:
        """Drop executors and parameters, and with them their memory."""
        self._bound.clear()
        self._latest = None
        del self.network
        if self._context.device_type == "gpu":
            self._context.empty_cache()
        return ()

    def _bind(self, shapes: tuple[Shape, ...]) -> Bound:
        if len(self._bound) >= _MOST_BOUND:
            self._bound.clear()
        self._latest = bind(self._mxnet, self.network, self._context, self._arrays(shapes), self._options, self._latest)
        self._bound[shapes] = self._latest
        return self._latest

    def _arrays(self, shapes: tuple[Shape, ...]) -> dict[str, Any]:
        """Empty arrays for the inputs."""
        return {
            name: self._mxnet.nd.zeros(shape, self._context, dtype=dtype.type)
            for (name, dtype), shape in zip(self._feeds, shapes, strict=True)
        }


def bind(
    mxnet: Any,
    network: Network,
    context: Any,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    shared: Bound | None = None,
) -> Bound:
    """The executor that reads these input arrays, in the working memory of another."""
    shapes, _ = network.infer_shapes({name: array.shape for name, array in inputs.items()})
    by_name = dict(zip(network.symbol.list_arguments(), shapes, strict=True))
    arrays = {**network.arguments, **inputs}
    # What is left are labels: training's operators take them, and do not read them in inference.
    arrays = {name: arrays[name] if name in arrays else mxnet.nd.zeros(by_name[name], context) for name in by_name}
    fused = context.device_type == "cpu" and network.can_be_fused
    backend = options["subgraph_backend"] if fused else "NONE"
    executor = engine.bind(
        network.symbol,
        context,
        backend,
        options["bulk"],
        args=arrays,
        aux_states=dict(network.auxiliary),
        shared_exec=shared and shared.executor,
    )
    return Bound(executor, tuple(inputs.values()))
