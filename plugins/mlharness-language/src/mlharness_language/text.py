"""Text in arrays: UTF-8 bytes, uint8 [bytes]."""

from __future__ import annotations

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array


def to_text(array: Array) -> str:
    """The text of uint8 [bytes]. Raises UserError for another dtype or rank, and for bytes that are no UTF-8."""
    if array.dtype != np.uint8 or array.ndim != 1:
        raise UserError(f"got {array.dtype} {list(array.shape)}, and needs text: uint8 [bytes]", "Put it first.")
    try:
        return array.tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"byte {error.start} of a text is no UTF-8", "Save the data as UTF-8.") from error


def to_bytes(text: str) -> Array:
    """A text as uint8 [bytes]."""
    return np.frombuffer(text.encode("utf-8"), np.uint8)
