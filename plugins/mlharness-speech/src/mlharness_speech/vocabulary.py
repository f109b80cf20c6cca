"""The words and parts of words that Whisper's models write."""

from __future__ import annotations

import base64
import lzma
from collections.abc import Sequence
from functools import cache
from pathlib import Path

VOCABULARIES = ("multilingual", "english")
"""Of the models tiny to large-v3, and of those whose names end in .en."""
FOLDER = Path(__file__).parent / "files"
"""One file each, with one token a line, in base64, in the order of the numbers; see ``files/NOTICE``."""


@cache
def tokens_of(vocabulary: str) -> tuple[bytes, ...]:
    """The bytes of each token of text, by number. Numbers from its length on are signs: languages, times, the end."""
    with lzma.open(FOLDER / f"whisper-{vocabulary}.txt.xz", "rt", encoding="ascii") as lines:
        return tuple(map(base64.b64decode, lines))


def text_of(numbers: Sequence[int], vocabulary: str) -> str:
    """The text of tokens, without signs and without spaces at both ends; bytes that are no UTF-8 become U+FFFD."""
    tokens = tokens_of(vocabulary)
    return b"".join(tokens[number] for number in numbers if 0 <= number < len(tokens)).decode(errors="replace").strip()
