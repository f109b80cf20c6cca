"""The attributes of a span, as a reader of the page sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from mlharness.analysis.flops import tensors

LONGEST = 300
"""Characters of a text that are shown; nobody reads more in a tooltip, and a page has to end somewhere."""
_UNSAID = ("index", "estimated", "batch_id")
_FACTORS = (("G", 1e9), ("M", 1e6), ("k", 1e3))


def cut(text: str, longest: int = LONGEST) -> str:
    """The text, or its beginning with three dots."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def micro(text: str) -> str:
    """The text with microseconds as a page writes them; a terminal may not have the letter."""
    return re.sub(r"(?<=\d) us\b", " µs", text)


@lru_cache(maxsize=1 << 14)  # layers of all calls have the same
def facts_of(attributes: str | None) -> tuple[tuple[str, str], ...]:
    """Names and values of what is worth telling; nothing where a tracer wrote no JSON object."""
    try:
        found = json.loads(attributes or "{}")
    except ValueError:
        return ()
    return tuple(_told(found)) if isinstance(found, dict) else ()


def _told(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    estimated = "~" if found.get("estimated") else ""
    for key, value in found.items():
        if key in _UNSAID or value is None or value == "" or value == []:
            continue
        about = estimated if key in ("flops", "bytes") else ""
        yield cut(key.replace("_", " ").removesuffix(" bytes").removesuffix(" ns"), 40), about + cut(_value(key, value))


def _value(key: str, value: Any) -> str:
    if key in ("inputs", "outputs"):
        known = tensors(value)
        if known:
            return shapes(known)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(key, value)
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def shapes(found: Any) -> str:
    """``float32[1,3,224,224] float32[64,3,7,7]``."""
    return " ".join(f"{dtype}[{','.join(map(str, dims))}]" for dtype, dims in found)


def _number(key: str, value: float) -> str:
    if key == "bytes" or key.endswith("_bytes"):
        return size(value)
    if key == "flops":
        return next((f"{value / factor:.3g} {unit}FLOP" for unit, factor in _FACTORS if value >= factor),
                    f"{value:g} FLOP")  # fmt: skip
    if key.endswith("_ns"):
        return f"{value / 1e3:,.3f} µs"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def size(value: float) -> str:
    """Bytes for people."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"
