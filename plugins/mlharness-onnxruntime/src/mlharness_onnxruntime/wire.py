"""Protocol Buffers' wire format: the fields of a message, without its schema and without copying what they hold.

Reading an ONNX graph this way takes milliseconds whatever the size of its weights, has no limit of 2 GB, and asks for
no package whose version other frameworks pin too.
"""

from __future__ import annotations

from collections.abc import Iterator

_FIXED = {1: 8, 5: 4}  # bytes by wire type
_VARINT, _DELIMITED = 0, 2


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an int for a varint, else its bytes. Raises ValueError for a cut-off message."""
    at, end = 0, len(message)
    while at < end:
        key, at = varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind == _DELIMITED:
            size, at = varint(message, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if at + size > end:
            raise ValueError("a field that goes beyond the end")
        yield key >> 3, message[at : at + size]
        at += size


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it. Raises ValueError when it is cut off, or longer than 64 bits."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number that is cut off")


def numbers(value: int | memoryview) -> Iterator[int]:
    """The numbers of one occurrence of a repeated field: a single one, or packed."""
    if isinstance(value, int):
        yield value
        return
    at = 0
    while at < len(value):
        number, at = varint(value, at)
        yield number
