"""Which axes of a network's outputs are free, found by trying sizes."""

from __future__ import annotations

from collections.abc import Sequence

from mlharness.errors import UserError
from mlharness.providers import TensorSpec
from mlharness_mxnet.network import Network, Shape

_BATCHES = (1, 2)
_SIZES = ((256, 320), (32, 64), (8, 16))
"""Two sizes for free axes other than the batch: images first, since small ones vanish in a deep network."""


def output_specs(network: Network, names: Sequence[str], inputs: Sequence[TensorSpec]) -> list[TensorSpec]:
    """The outputs for inputs of these shapes. Raises UserError when the network cannot take them."""
    one, other = try_sizes(network, inputs)
    dtypes = network.infer_dtypes({spec.name: spec.dtype for spec in inputs})
    specs = []
    for name, dtype, shape, changed in zip(names, dtypes, one, other, strict=True):
        free = tuple(size if size == again else None for size, again in zip(shape, changed, strict=True))
        specs.append(TensorSpec(name, dtype, free))
    batch = inputs[0].shape[0]
    for spec in specs:
        if not spec.shape or spec.shape[0] != batch:
            raise UserError(
                f"{network.origin}: output {spec.name!r} is {list(spec.shape)}, without a row for each sample",
                "Declare the batch axis of inputs as the network needs it, or choose other outputs in the manifest.",
            )
    return specs


def try_sizes(network: Network, inputs: Sequence[TensorSpec]) -> list[Sequence[Shape]]:
    """The outputs' shapes for two sizes of every free axis."""
    pairs = _SIZES if any(None in spec.shape[1:] for spec in inputs) else _SIZES[:1]
    failure: UserError | None = None
    for sizes in pairs:
        try:
            return [
                network.infer_shapes({spec.name: filled(spec, batch, size) for spec in inputs})[1]
                for batch, size in zip(_BATCHES, sizes, strict=True)
            ]
        except UserError as error:
            failure = failure or error
    assert failure is not None, "a loop that ends has failed"
    raise failure


def filled(spec: TensorSpec, batch: int, size: int) -> Shape:
    """A shape with its free axes at these sizes."""
    first, *rest = spec.shape
    return (batch if first is None else first, *(size if axis is None else axis for axis in rest))
