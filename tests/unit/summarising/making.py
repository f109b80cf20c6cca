"""Summaries of nothing that ever ran."""

from __future__ import annotations

from collections.abc import Sequence

from mlharness.summarising.blocks import Block
from mlharness.summarising.summary import Case, Figure, Summary

STARTED = "2026-03-01T10:00:00.125+00:00"
HOSTILE = "<b>|evil|</b> [x](javascript:1) `a` *b* _c_ &lt; ]]> \"'\x00\x1b[31m\x07\ud800\uffff\r\nnext\tline \u202e"
"""Markup of every kind, control characters, half a character, two lines, and a mark that turns the reading around."""


def a_summary(*cases: Case, blocks: Sequence[Block] = (), command: str = "mlh bench null") -> Summary:
    """A summary of these cases."""
    return Summary(command, STARTED, "desk", "0.1.0", cases, blocks)


def every_outcome() -> tuple[Case, ...]:
    """One case of each."""
    return (
        Case("runs", "fine", details=[("latency", "1 ms")], figures=[Figure("p90", 1e6, "ns")], seconds=1.5),
        Case("runs", "too short", "failed", "min duration: 1 s of 2 s", run_id="20260301-x"),
        Case("metrics", "p99", "skipped", "not enough data"),
        Case("runs", "broken", "error", "boom", [("remedy", "Mend it.")]),
    )
