"""Words that one side writes as one and the other apart, as MLPerf's Whisper benchmark forgives them."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 3
"""How many words may make one."""


def join_compounds(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[list[str], list[str]]:
    """Both texts, with two or three words of one joined where together they are the other's next word.

    Both are read side by side from the left, one word of each at a time. So a word too many in one puts the rest out of
    step, and nothing more is joined: that is how MLPerf's script counts, and figures have to equal its own.
    """
    joined: tuple[list[str], list[str]] = ([], [])
    said, heard = list(reference), list(hypothesis)
    at = [0, 0]
    while at[0] < len(said) and at[1] < len(heard):
        sizes = _sizes(said[at[0] : at[0] + _MOST], heard[at[1] : at[1] + _MOST])
        for side, (words, size) in enumerate(zip((said, heard), sizes, strict=True)):
            joined[side].append("".join(words[at[side] : at[side] + size]))
            at[side] += size
    return joined[0] + said[at[0] :], joined[1] + heard[at[1] :]


def _sizes(said: Sequence[str], heard: Sequence[str]) -> tuple[int, int]:
    """How many words of each side belong together, given the next ones of both."""
    if said[0] == heard[0]:
        return 1, 1
    for size in range(2, _MOST + 1):
        if len(said) >= size and "".join(said[:size]) == heard[0]:
            return size, 1
        if len(heard) >= size and "".join(heard[:size]) == said[0]:
            return 1, size
    return 1, 1
