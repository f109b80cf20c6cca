"""Input and output buffers that a session keeps on its device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from mlharness.providers import Array


class Binding:
    """Runs a session with inputs in buffers of the device that are made once per form of a batch.

    Only the latest form's buffers are kept, so that ragged inputs do not fill the device. Outputs are bound to the
    host, where ONNX Runtime brings them while the interpreter's lock is free, and copied once more for the caller.

    Args:
        session: on any device.
        device: ONNX Runtime's word for where the buffers are, ``cpu`` or ``cuda``.
        number: which of these devices.
    """

    def __init__(self, session: ort.InferenceSession, device: str, number: int) -> None:
        self._session = session
        self._where = (device, number)
        self._names = [node.name for node in session.get_inputs()]
        self._outputs = [node.name for node in session.get_outputs()]
        self._form: list[object] = []
        self._held: Sequence[ort.OrtValue] = ()
        self._bound = session.io_binding()

    def run(self, batch: dict[str, Array]) -> list[Array]:
        """Every output, batch axis first. Raises KeyError for an input that is missing."""
        arrays = [batch[name] for name in self._names]
        form: list[object] = [(array.shape, array.dtype) for array in arrays]
        if form != self._form:
            self._bind(arrays)
            self._form = form
        for held, array in zip(self._held, arrays, strict=True):
            held.update_inplace(np.ascontiguousarray(array))
        self._session.run_with_iobinding(self._bound)
        # copied, since the next run writes into the same values
        return [value.numpy().copy() for value in self._bound.get_outputs()]

    def _bind(self, arrays: Sequence[Array]) -> None:
        """Make buffers of the arrays' form, and bind them."""
        self._form = []  # nothing is bound, should this fail half-way
        self._bound.clear_binding_inputs()
        self._bound.clear_binding_outputs()
        self._held = [ort.OrtValue.ortvalue_from_shape_and_type(a.shape, a.dtype, *self._where) for a in arrays]
        for name, held in zip(self._names, self._held, strict=True):
            self._bound.bind_ortvalue_input(name, held)
        for name in self._outputs:
            self._bound.bind_output(name, "cpu")
