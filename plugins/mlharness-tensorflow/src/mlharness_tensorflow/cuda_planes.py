"""What TensorFlow's profile tells of CUDA: kernels and copies of each GPU, and the calls that launched them.

Tested on made-up profiles; it has not been run on a GPU yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mlharness.trace.levels import SYSTEM
from mlharness.trace.spans import Spans
from mlharness_tensorflow.planes import Plane

CORRELATION = "correlation_id"
_KERNEL, _COPIES = "kernel_details", ("memcpy_details", "memset_details")
_STREAM = re.compile(r"Stream #(\d+)")
_SIZE = re.compile(r"\b(?:size|num_bytes):(\d+)")


def add_device(spans: Spans, plane: Plane, device: int, began_ns: int) -> None:
    """Kernels and copies of one GPU, each caused by the call that has its correlation."""
    for line in plane.message.lines:
        stream = _STREAM.match(line.name)
        if stream is None:  # what TensorFlow derives from the streams, as steps and operators
            continue
        base = began_ns + line.timestamp_ns
        for event in line.events:
            facts = plane.facts_of(event)
            kind = kind_of(facts)
            if kind:
                about = attributes_of(facts, kind, device, int(stream[1]))
                spans.add(
                    SYSTEM, plane.names.get(event.metadata_id, ""), base + event.offset_ps // 1000,
                    event.duration_ps // 1000, kind=kind, caused_by=int(facts.get(CORRELATION) or 0), attributes=about,
                )  # fmt: skip


def kind_of(facts: Mapping[str, Any]) -> str:
    """``kernel``, ``copy``, or nothing for an event of neither kind."""
    if _KERNEL in facts:
        return "kernel"
    return "copy" if any(name in facts for name in _COPIES) else ""


def attributes_of(facts: Mapping[str, Any], kind: str, device: int, stream: int) -> str:
    """Device, stream, the operator that TensorFlow names, and of a copy its bytes."""
    about: dict[str, Any] = {"device": device, "stream": stream}
    if facts.get("tf_op"):
        about["operator"] = facts["tf_op"]
    if kind == "kernel":
        about["details"] = facts[_KERNEL]
    size = _SIZE.search(next((str(facts[name]) for name in _COPIES if name in facts), ""))
    if size:
        about["bytes"] = int(size[1])
    return json.dumps(about, separators=(",", ":"))
