"""CUDA's activities in Kineto's events: kernels, copies, and the calls that launched them.

Tested with recorded fields; not yet run on a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mlharness.trace.levels import SYSTEM
from mlharness.trace.spans import Spans

KINDS = {
    "kernel": "kernel",
    "gpu_memcpy": "copy",
    "gpu_memset": "copy",
    "cuda_runtime": "launch",
    "cuda_driver": "launch",
}
"""What Kineto calls an activity, and what its span's kind is."""
_LEFT_OUT = frozenset({"gpu_user_annotation", "overhead", "cuda_sync", "cuda_event"})


def add_activities(events: Iterable[Any], spans: Spans) -> list[Any]:
    """Add CUDA's activities to the spans; returns the other events.

    A call of CUDA stands on the thread that made it; a kernel or copy on no thread, under the call of its correlation.
    """
    others = []
    for event in events:
        activity = event.activity_type()
        kind = KINDS.get(activity)
        if kind == "launch":
            spans.add(SYSTEM, event.name(), event.start_ns(), event.duration_ns(), kind=kind,
                      thread=event.device_resource_id(), correlation=event.correlation_id())  # fmt: skip
        elif kind:
            place = json.dumps({"device": event.device_index(), "stream": event.device_resource_id()})
            spans.add(SYSTEM, event.name(), event.start_ns(), event.duration_ns(), kind=kind,
                      caused_by=event.correlation_id(), attributes=place)  # fmt: skip
        elif activity not in _LEFT_OUT:
            others.append(event)
    return others
