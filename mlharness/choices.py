"""What a user may choose for a run: the options of ``mlh bench`` as one frozen value, before anything is resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mlharness.plan import Mode, Rules, Scenario


@dataclass(frozen=True)
class Choices:
    """None means: not chosen; the manifest, the rules or the host decide.

    Durations in seconds, latencies in milliseconds, waits in microseconds, rates in queries a second.
    """

    dataset: str | None = None
    framework: str | None = None
    scenario: Scenario = "SingleStream"
    mode: Mode = "performance"
    rules: Rules = "quick"
    device: str = "cpu"
    instances: int | None = None
    threads: int | None = None
    batch_size: int | None = None
    max_wait_us: int | None = None
    target_qps: float | None = None
    target_latency_ms: float | None = None
    duration_s: float | None = None
    min_queries: int | None = None
    count: int | None = None
    warmup: int = 3
    seed: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    user_conf: Path | None = None
    audit_conf: Path | None = None
    system_description: Path | None = None
    data_dir: Path | None = None
    trust: bool = False
    allow_http: bool = False
    stall_timeout_s: float | None = None
    trace: tuple[str, ...] = ()
    trace_every: int = 1
    trace_first: int = 0
    leveled: bool = False

    def document(self) -> dict[str, Any]:
        """As plain JSON data, in which paths are text."""
        found: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return found


def read_choices(document: Any) -> Choices:
    """The choices of a :meth:`Choices.document`. Raises msgspec.ValidationError for anything else."""
    return msgspec.convert(document, Choices, dec_hook=lambda kind, value: kind(value))
