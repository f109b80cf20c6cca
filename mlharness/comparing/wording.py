"""The words of a comparison, which the terminal and pages share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlharness.wording import milliseconds

Document = Mapping[str, Any]
LONGEST = 48
"""Characters of a value that are shown; the document has all of them."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def remarks(comparison: Document, sides: Mapping[str, str]) -> Iterator[str]:
    """What must be said with the verdict; ``sides`` are the letters of a and b."""
    yield from (f"unfair: {why}" for why in comparison["unfair"])
    yield from comparison["notes"]
    yield from (f"{one['run']} left out: {one['reason']}" for one in comparison["without_partner"])
    yield from dict.fromkeys(metric["problem"] for metric in comparison["metrics"] if metric["problem"])
    traces = comparison["traces"]
    if traces:
        yield from (f"{sides[one['side']]} has no {one['part']}: {one['reason']}" for one in traces["missing"])
        if traces["batch"][0] != traces["batch"][1]:
            yield "samples in a traced call: {} and {}".format(*traces["batch"])


def left_out(groups: Sequence[Document]) -> Iterator[str]:
    """The runs that do not count."""
    for group in groups:
        yield from (f"{one['run']} left out: {one['reason']}" for one in group["left_out"])


def percent(share: float) -> str:
    """A share, as a fraction, in percent."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:,.0f} %"


def micro(nanoseconds: float) -> str:
    """A difference of two times."""
    return f"{nanoseconds / 1e3:+,.1f} us"


def change(ratio: float | None) -> str:
    """A ratio as a change."""
    return "" if ratio is None else f"{100 * (ratio - 1):+.2f} %"


def interval(metric: Document) -> str:
    """The interval of a change."""
    return "" if metric["interval"] is None else " to ".join(map(change, metric["interval"]))


def value(number: float | None, unit: str) -> str:
    """A figure in its unit."""
    if number is None:
        return ""
    return milliseconds(number) if unit == "ns" else f"{number:,.2f} {unit}"


def shortened(found: Any) -> str:
    """A value in a few words: digests by their beginning, and no more than fits."""
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    text = _SHA256.sub(lambda digest: f"{digest[0][:12]}...", " ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
