"""What every kind of file becomes: a TensorFlow function with named inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import TensorSpec
from mlharness_tensorflow.process import import_tensorflow


@dataclass(frozen=True)
class Computation:
    """A concrete function.

    Attributes:
        function: takes one tensor per input, in order, and returns one per output, in order, in any nesting.
        inputs: names, dtypes and shapes of what goes in.
        outputs: the same of what comes out.
        trainable: how many numbers training learns; None where the graph alone has to tell.
        owner: what must live as long as the function: it holds the variables.
    """

    function: Any
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    trainable: int | None = None
    owner: Any = None


def tensor_spec(name: str, tensor: Any, shape: tuple[int | None, ...] | None = None) -> TensorSpec:
    """How a tensor of TensorFlow is described; ``shape`` stands in where the graph does not know the rank.

    An empty one leaves the shape open then.

    Raises:
        UserError: a tensor that holds no numbers, has no batch axis, or whose rank nobody knows.
    """
    try:
        dtype = np.dtype(tensor.dtype.as_numpy_dtype)
    except TypeError:  # resources and variants have no NumPy type
        dtype = np.dtype(object)
    # bfloat16 and its kin are types that NumPy itself does not have
    if dtype.kind not in "fciub":
        raise UserError(
            f"{name!r} is a tensor of {tensor.dtype.name}, which mlharness cannot feed", "Only tensors of numbers."
        )
    if tensor.shape.rank is None and shape is None:
        raise UserError(f"the graph does not say the shape of {name!r}", "Declare its shape in the manifest.")
    known = tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else shape or ()
    if not known and tensor.shape.rank is not None:
        raise UserError(f"{name!r} is a single number without a batch axis", "Name another layer.")
    return TensorSpec(name, dtype.name, known)


def count_trainable(variables: Sequence[Any]) -> int:
    """How many numbers the trainable ones of these variables hold."""
    return sum(int(np.prod(variable.shape.as_list())) for variable in variables if variable.trainable)


def freeze(computation: Computation) -> Computation:
    """The same function with its variables as constants, inlined into one graph.

    Raises:
        UserError: TensorFlow cannot make it so.
    """
    # Documented by TensorFlow's guides, and found at this address only.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    remedy = "Use --option freeze=false."
    feeds, fetches = feeds_and_fetches(computation.function)
    try:
        frozen = convert_variables_to_constants_v2(computation.function, lower_control_flow=False)
    except Exception as error:  # whatever TensorFlow stumbles over is in the model
        raise UserError(f"TensorFlow cannot freeze the model: {first_line(error)}", remedy) from error
    if len(frozen.inputs) != len(feeds):
        raise UserError("the model holds tables or other things that are no variables, which cannot be frozen", remedy)
    # The conversion forgets the order of the inputs; their names stay. Pruning takes seconds where weights are large.
    if feeds_and_fetches(frozen) != (feeds, fetches):
        find = frozen.graph.get_tensor_by_name
        frozen = frozen.prune([find(name) for name in feeds], [find(name) for name in fetches])
    return Computation(frozen, computation.inputs, computation.outputs, computation.trainable)


def feeds_and_fetches(function: Any) -> tuple[list[str], list[str]]:
    """The names of a function's input and output tensors in its own graph, in order, without what it captures."""
    captured = {id(tensor) for tensor in function.graph.internal_captures}
    feeds = [tensor.name for tensor in function.inputs if id(tensor) not in captured]
    return feeds, [tensor.name for tensor in function.outputs]


def compile_with_xla(computation: Computation) -> Any:
    """The function, compiled by XLA for each shape of a batch."""
    tf = import_tensorflow()
    inner = computation.function
    signature = [tf.TensorSpec(spec.shape, spec.dtype) for spec in computation.inputs]
    outer = tf.function(lambda *tensors: inner(*tensors), input_signature=signature, jit_compile=True, autograph=False)
    return outer.get_concrete_function()


def in_order(function: Any) -> Callable[[Sequence[Any]], Any]:
    """How a concrete function is called with a list of its input tensors.

    Called as usual, TensorFlow (2.21) first tries a signature that a pruned function does not have, and writes the
    tensors with their numbers into an error that nobody sees: 0.2 ms, and 1 ms for a picture. So the way that it takes
    then is taken at once. It is no public one; where it is missing, the usual one stays.
    """
    flat = getattr(function, "_call_with_flat_signature", None)
    return (lambda tensors: function(*tensors)) if flat is None else (lambda tensors: flat(tensors, {}))


def first_line(error: BaseException) -> str:
    """What an error of TensorFlow says, without the layers of call stacks below."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
