"""Records become spans: names are copied out, times checked, and work is told from the calls that launched it."""

from __future__ import annotations

import ctypes
import json
from typing import Any

import pytest
import synthetic
from cupti import cupti
from mlharness_cupti.names import demangle
from mlharness_cupti.records import Activities

from mlharness.trace.levels import LEVELS
from mlharness.trace.spans import NO_PARENT, Spans


def read(*records: Any, **arguments: Any) -> tuple[Activities, Spans]:
    activities = Activities(cupti, **arguments)
    activities.take(records)
    return activities, activities.spans("cupti", lambda domain, code: f"{domain} {code}")


def test_a_kernel_is_work() -> None:
    record = synthetic.kernel(
        1_000, 1_500, 7, grid_x=4, grid_y=5, grid_z=6, block_x=32, block_y=2, block_z=1, registers_per_thread=40,
        static_shared_memory=1_024, dynamic_shared_memory=512, device_id=1, stream_id=13, graph_id=3,
    )  # fmt: skip
    _, spans = read(record)
    table = spans.table()
    assert [table.text(column, 0) for column in ("name", "kind", "source")] == [
        "add(float*, float*)",
        "kernel",
        "cupti",
    ]
    assert LEVELS[int(table.level[0])] == "system"
    assert (table.start[0], table.duration[0], table.caused_by[0], table.correlation[0]) == (1_000, 500, 7, 0)
    assert json.loads(table.text("attributes", 0)) == {
        "grid": [4, 5, 6], "block": [32, 2, 1], "registers": 40, "shared_bytes": 1_536, "device": 1, "stream": 13,
        "graph": 3,
    }  # fmt: skip


@pytest.mark.parametrize("version", [9, 10, 11])
def test_every_version_of_a_kernels_record_is_read(version: int) -> None:
    record = synthetic.record(
        f"ActivityKernel{version}", f"activity_kernel{version}_dtype", synthetic.KINDS.CONCURRENT_KERNEL, 5, 9,
        correlation_id=3, grid_x=2,
    )  # fmt: skip
    activities, spans = read(record)
    assert activities.unread == 0
    assert spans.table().caused_by.tolist() == [3]


def test_names_are_copied_out_of_the_buffer() -> None:
    activities, spans = read(synthetic.kernel(1, 2, 3, b"sgemm_128x64"))
    for text in synthetic._NAMES:
        ctypes.memset(text, 0, len(text))
    assert spans.table().text("name", 0) == "sgemm_128x64"
    assert activities.kept[0].name == "sgemm_128x64"


def test_a_copy_tells_its_way_and_its_bytes() -> None:
    record = synthetic.copy(10, 30, 8, copy_kind=1, src_kind=2, dst_kind=3, bytes=4_096, device_id=0, stream_id=7)
    table = read(record)[1].table()
    assert (table.text("name", 0), table.text("kind", 0)) == ("memcpy HTOD", "copy")
    assert json.loads(table.text("attributes", 0)) == {
        "bytes": 4_096, "from": "pinned", "to": "device", "device": 0, "stream": 7,
    }  # fmt: skip


def test_a_set_tells_its_bytes() -> None:
    record = synthetic.record("ActivityMemset4", "activity_memset4_dtype", synthetic.KINDS.MEMSET, 10, 30,
                              correlation_id=8, bytes=64)  # fmt: skip
    table = read(record)[1].table()
    assert (table.text("name", 0), table.text("kind", 0), table.caused_by[0]) == ("memset", "set", 8)
    assert json.loads(table.text("attributes", 0))["bytes"] == 64


def test_a_call_launches_if_work_has_its_correlation() -> None:
    _, spans = read(
        synthetic.call(1, 5, 7, 211, thread_id=99), synthetic.call(6, 9, 8, 131, thread_id=99, return_value=2),
        synthetic.call(2, 4, 7, 307, kind=synthetic.KINDS.DRIVER, thread_id=99), synthetic.kernel(20, 30, 7),
    )  # fmt: skip
    table = spans.table()
    assert [table.text("name", row) for row in range(3)] == ["RUNTIME_API 211", "RUNTIME_API 131", "DRIVER_API 307"]
    assert [table.text("kind", row) for row in range(4)] == ["launch", "call", "launch", "kernel"]
    assert table.thread.tolist() == [99, 99, 99, 0]
    assert table.correlation.tolist() == [7, 8, 7, 0]
    assert table.text("attributes", 1) == '{"error":2}'


def test_waits_and_overhead_are_told() -> None:
    _, spans = read(
        synthetic.wait(10, 40, 5, cupti.ActivitySynchronizationType.STREAM_SYNCHRONIZE),
        synthetic.overhead(50, 60, 99), synthetic.overhead(70, 80, 0),
    )  # fmt: skip
    table = spans.table()
    assert [table.text("name", row) for row in range(3)] == [
        "stream synchronize", "cupti buffer flush", "cupti buffer flush",
    ]  # fmt: skip
    assert [table.text("kind", row) for row in range(3)] == ["synchronisation", "overhead", "overhead"]
    assert table.caused_by.tolist() == [5, 0, 0]
    assert table.thread.tolist() == [0, 99, 0]
    assert table.parent.tolist() == [0, 0, NO_PARENT], "nobody's overhead is under nothing"


@pytest.mark.parametrize(("start", "end"), [(0, 0), (10, 9), (0, 5)])
def test_records_without_times_are_counted(start: int, end: int) -> None:
    activities, spans = read(synthetic.kernel(start, end, 1), synthetic.kernel(5, 6, 2))
    assert (activities.unread, len(spans)) == (1, 1)


def test_records_that_cannot_be_read_are_counted_and_raise_nothing() -> None:
    class Broken:
        kind = int(synthetic.KINDS.CONCURRENT_KERNEL)

    class Stranger:
        kind = "none"

    activities, spans = read(Broken(), Stranger(), synthetic.kernel(5, 6, 2))
    assert (activities.unread, len(spans)) == (2, 1)


def test_other_kinds_are_left_out() -> None:
    record = synthetic.record("ActivityAPI", "activity_api_dtype", synthetic.KINDS.RUNTIME, 5, 6)
    record.kind = int(synthetic.KINDS.JIT)
    activities, spans = read(record)
    assert (activities.unread, len(spans)) == (0, 0)


def test_an_unknown_member_is_its_number() -> None:
    table = read(synthetic.copy(10, 30, 8, copy_kind=77))[1].table()
    assert table.text("name", 0) == "memcpy 77"


def test_memory_is_bounded() -> None:
    activities, spans = read(*(synthetic.kernel(5, 6, 2) for _ in range(5)), most=3)
    assert (len(spans), activities.beyond) == (3, 2)


@pytest.mark.parametrize(
    ("name", "readable"),
    [("_Z3addPfS_", "add(float*, float*)"), ("ampere_sgemm_nn", "ampere_sgemm_nn"), ("_Znone", "_Znone"), ("", "")],
)  # fmt: skip
def test_names_are_demangled(name: str, readable: str) -> None:
    assert demangle(name) == readable
