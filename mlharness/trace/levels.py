"""The levels of a trace, from the query down to the hardware, and how a user names a set of them."""

from __future__ import annotations

from mlharness.errors import UserError, did_you_mean

LEVELS = ("application", "model", "framework", "library", "system", "hardware")
"""From the outside in; a span's parent is of the same level or of one further out."""
APPLICATION, MODEL, FRAMEWORK, LIBRARY, SYSTEM, HARDWARE = range(len(LEVELS))

PUBLISHED = {
    "NO_TRACE": 0,
    "APPLICATION_TRACE": 1,
    "MODEL_TRACE": 2,
    "FRAMEWORK_TRACE": 3,
    "ML_LIBRARY_TRACE": 4,
    "SYSTEM_LIBRARY_TRACE": 5,
    "HARDWARE_TRACE": 6,
    "FULL_TRACE": 6,
}
"""MLModelScope's names: each means its level and all those further out, so many of :data:`LEVELS`."""


def parse_levels(text: str) -> tuple[str, ...]:
    """The levels that a user names: some of :data:`LEVELS` joined by commas, ``full``, or a published name.

    Operators and primitives are told apart by the call of the model that they belong to, so that the levels
    ``framework`` and ``library`` bring ``model`` with them.

    Raises:
        UserError: a name that is none of these.
    """
    chosen: set[str] = set()
    for word in (part.strip() for part in text.split(",")):
        if word.upper() in PUBLISHED:
            chosen.update(LEVELS[: PUBLISHED[word.upper()]])
        elif word.lower() == "full":
            chosen.update(LEVELS)
        elif word.lower() in LEVELS:
            chosen.add(word.lower())
        else:
            known = (*LEVELS, "full", *PUBLISHED)
            raise UserError(f"--trace: {word!r} is no level", did_you_mean(word, known))
    if chosen & {"framework", "library"}:
        chosen.add("model")
    return tuple(level for level in LEVELS if level in chosen)


def parse_sample(text: str | None) -> tuple[int, int]:
    """Which queries of a trace are kept: every so many (1: all), and no more than the first so many (0: no limit).

    Raises:
        UserError: neither ``N`` nor ``first:N``, for an N of at least 1.
    """
    if text is None:
        return 1, 0
    first, colon, number = text.rpartition(":")
    if not number.isdecimal() or int(number) < 1 or (colon and first != "first"):
        raise UserError(f"--trace-sample {text!r} is no number of queries", "Write 10 for every tenth, or first:10.")
    return (1, int(number)) if colon else (int(number), 0)
