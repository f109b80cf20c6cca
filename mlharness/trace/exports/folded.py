"""Folded stacks, one line each with its own time, for flame graphs (flamegraph.pl, inferno, speedscope)."""

from __future__ import annotations

from collections import Counter
from typing import IO

from mlharness.trace.exports.rows import Row, Trace


def write(trace: Trace, file: IO[bytes]) -> int:
    """Write every stack with the nanoseconds that its last span spent in none of its children; returns the spans.

    Timelines, such as when a thread ran, are no stacks, and are left out. Children that ran at the same time as each
    other can add up to more than their parent, which is then left with nothing of its own.
    """
    spans = [row for row in trace.rows if row.parentage != "alone"]
    for stack, own_ns in sorted(fold(spans).items()):
        file.write(f"{stack} {own_ns}\n".encode())
    return len(spans)


def fold(rows: list[Row]) -> Counter[str]:
    """Own time in nanoseconds by stack: names from the outside in, joined by semicolons."""
    by_id = {row.id: row for row in rows}
    inner: Counter[int] = Counter()
    for row in rows:
        inner[row.parent] += row.duration_ns
    stacks: dict[int, str] = {0: ""}
    found: Counter[str] = Counter()
    for row in rows:
        own = max(0, row.duration_ns - inner[row.id])
        if own:
            found[_stack(row, by_id, stacks)] += own
    return found


def _stack(row: Row, by_id: dict[int, Row], stacks: dict[int, str]) -> str:
    """The names of a span and of all above it."""
    chain: list[Row] = []
    while row.id not in stacks:
        chain.append(row)
        if row.parent not in by_id:
            break
        row = by_id[row.parent]
    text = stacks.get(row.id, "")
    for one in reversed(chain):
        name = one.name.replace(";", ",").replace("\n", " ")
        text = f"{text};{name}" if text else name
        stacks[one.id] = text
    return text
