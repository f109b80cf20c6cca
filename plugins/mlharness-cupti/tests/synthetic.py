"""CUPTI without a GPU: records that are built with the binding's own classes, and a CUPTI that gives them back.

What a driver does beyond that is not known here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from cupti import cupti

KINDS = cupti.ActivityKind
_NAMES: list[Any] = []
"""Names that records point at must live as long as these."""


def record(cls: str, dtype: str, kind: Any, start: int, end: int, **fields: Any) -> Any:
    """A record of one of the binding's classes; fields that are not given are zero."""
    data = np.zeros(1, getattr(cupti, dtype))
    data["kind"], data["start"], data["end"] = int(kind), start, end
    for name, value in fields.items():
        data[name] = value
    return getattr(cupti, cls).from_data(data)


def kernel(start: int, end: int, correlation: int, name: bytes = b"_Z3addPfS_", **fields: Any) -> Any:
    """A kernel, as the newest driver tells it."""
    text = ctypes.create_string_buffer(name)
    _NAMES.append(text)
    return record(
        "ActivityKernel11", "activity_kernel11_dtype", KINDS.CONCURRENT_KERNEL, start, end,
        correlation_id=correlation, name=ctypes.addressof(text), **fields,
    )  # fmt: skip


def copy(start: int, end: int, correlation: int, **fields: Any) -> Any:
    """A copy between host and device."""
    return record("ActivityMemcpy6", "activity_memcpy6_dtype", KINDS.MEMCPY, start, end,
                  correlation_id=correlation, **fields)  # fmt: skip


def call(start: int, end: int, correlation: int, cbid: int, kind: Any = KINDS.RUNTIME, **fields: Any) -> Any:
    """A call of the runtime's or the driver's API."""
    return record("ActivityAPI", "activity_api_dtype", kind, start, end,
                  correlation_id=correlation, cbid=cbid, **fields)  # fmt: skip


def wait(start: int, end: int, correlation: int, what: Any) -> Any:
    """The host waits for the device."""
    return record("ActivitySynchronization2", "activity_synchronization2_dtype", KINDS.SYNCHRONIZATION, start, end,
                  correlation_id=correlation, type=int(what))  # fmt: skip


def overhead(start: int, end: int, thread: int) -> Any:
    """CUPTI itself took time on a thread, or with thread 0 on nobody's."""
    data = np.zeros(1, cupti.activity_overhead3_dtype)
    data["kind"], data["start"], data["end"] = int(KINDS.OVERHEAD), start, end
    data["overhead_kind"] = int(cupti.ActivityOverheadKind.CUPTI_BUFFER_FLUSH)
    if thread:
        data["object_kind"] = int(cupti.ActivityObjectKind.THREAD)
        data["object_id"]["pt"]["thread_id"] = thread
    return cupti.ActivityOverhead3.from_data(data)


class FakeCupti:
    """The functions that the tracer calls; ``fail`` maps their names to what they raise."""

    cuptiError = cupti.cuptiError  # noqa: N815  # the binding's name
    ActivityKind = cupti.ActivityKind
    ActivityMemcpyKind = cupti.ActivityMemcpyKind
    ActivityMemoryKind = cupti.ActivityMemoryKind
    ActivityOverheadKind = cupti.ActivityOverheadKind
    ActivitySynchronizationType = cupti.ActivitySynchronizationType
    ActivityThreadIdType = cupti.ActivityThreadIdType
    CallbackDomain = cupti.CallbackDomain

    def __init__(
        self, records: list[Any] | None = None, dropped: int = 0, fail: Mapping[str, Exception] | None = None
    ) -> None:
        self.records, self.dropped, self.fail = records or [], dropped, fail or {}
        self.calls: list[str] = []
        self.enabled: set[int] = set()
        self.completed: Callable[[list[Any]], None] = lambda records: None
        self.clock: Callable[[], int] | None = None

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise self.fail[name]

    def activity_register_timestamp_callback(self, function: Callable[[], int]) -> None:
        self._called("timestamp")
        self.clock = function

    def set_thread_id_type(self, kind: int) -> None:
        self._called("thread_id")
        assert kind == 1

    def activity_register_callbacks(self, requested: Any, completed: Any) -> None:
        self._called("callbacks")
        size, most = requested()
        assert size >= 1 << 20
        assert most == 0, "as many records as fit"
        self.completed = completed

    def activity_enable(self, kind: int) -> None:
        self._called(f"enable {KINDS(kind).name}")
        self.enabled.add(kind)

    def activity_disable(self, kind: int) -> None:
        self._called("disable")
        self.enabled.remove(kind)

    def activity_flush_all(self, flag: int) -> None:
        self._called("flush")
        assert flag == 1
        half = len(self.records) // 2
        self.completed(self.records[:half])
        self.completed(self.records[half:])

    def activity_get_num_dropped_records(self, context: int, stream: int, dropped: int) -> None:
        self._called("dropped")
        ctypes.c_size_t.from_address(dropped).value = self.dropped

    def get_timestamp(self) -> int:
        self._called("get_timestamp")
        return 5_000_000_000_000_000_000

    def get_callback_name(self, domain: int, cbid: int) -> str:
        self._called("name")
        names = {(2, 211): "cudaLaunchKernel_v7000", (2, 41): "cudaMemcpyAsync_v3020", (1, 307): "cuLaunchKernel",
                 (2, 131): "cudaStreamSynchronize_v3020"}  # fmt: skip
        return names[domain, cbid]
