"""Characters as numbers, as MLPerf's reference implementations log transcripts."""

from __future__ import annotations

from functools import cache

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Option

ALPHABETS = {
    "rnnt": " abcdefghijklmnopqrstuvwxyz'",
    "whisper": " abcdefghijklmnopqrstuvwxyz'0123456789$%+-",
}
"""The characters of each, in the order of their numbers."""
ALPHABET = Option(
    "alphabet",
    "string",
    "Characters by number, int64, as MLPerf's reference of that model logs them; left out, text is UTF-8.",
    choices=tuple(ALPHABETS),
)


def encode(text: str, alphabet: str | None) -> Array:
    """Text as a response: uint8 [bytes] of its UTF-8; with an alphabet, int64 [characters].

    An alphabet has no capitals: text is made lower-case, and characters that are not in it are left out.
    """
    if alphabet is None:
        return np.frombuffer(text.encode(), np.uint8)
    numbers = _numbers(alphabet)[np.frombuffer(text.lower().encode("ascii", "ignore"), np.uint8)]
    return numbers[numbers >= 0]


def decode(row: Array, alphabet: str | None) -> str:
    """The text of a response that :func:`encode` made. Raises UserError for a number that is no character's."""
    if alphabet is None:
        return row.tobytes().decode(errors="replace")
    characters = ALPHABETS[alphabet]
    if row.size and not 0 <= row.min() <= row.max() < len(characters):
        raise UserError(
            f"a response holds {row.min()} to {row.max()}, and alphabet {alphabet!r} has 0 to {len(characters) - 1}",
            "Correct postprocess, or the metric's alphabet.",
        )
    return np.frombuffer(characters.encode("ascii"), np.uint8)[row].tobytes().decode("ascii")


@cache
def _numbers(alphabet: str) -> Array:
    """The number of each ASCII character, int64 [128]; -1 for those that the alphabet has not."""
    numbers = np.full(128, -1, np.int64)
    numbers[list(ALPHABETS[alphabet].encode("ascii"))] = np.arange(len(ALPHABETS[alphabet]))
    numbers.flags.writeable = False
    return numbers


def keep(text: str, alphabet: str | None) -> str:
    """What an alphabet leaves of a text; all of it without one."""
    return text if alphabet is None else decode(encode(text, alphabet), alphabet)
