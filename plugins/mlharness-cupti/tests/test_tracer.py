"""The tracer against a CUPTI that is none: what it asks for, what it survives, and where its spans stand."""

from __future__ import annotations

import time
from typing import Any

import pytest
import synthetic
from cupti import cupti
from mlharness_cupti.records import KINDS
from mlharness_cupti.tracer import CuptiTracer
from synthetic import FakeCupti

from mlharness.trace.levels import LEVELS
from mlharness.trace.spans import Spans, concatenate
from mlharness.trace.tree import with_parents


def trace(fake: FakeCupti, **arguments: Any) -> Spans:
    """A whole test."""
    tracer = CuptiTracer(fake, **arguments)
    tracer.start()
    tracer.begin()
    assert {int(getattr(synthetic.KINDS, name)) for name in KINDS} >= fake.enabled
    tracer.end()
    assert not fake.enabled
    return tracer.collect()


def some() -> list[Any]:
    """A call that launches a kernel by the driver's call within it, a copy, and a wait for them."""
    return [
        synthetic.call(1_000, 2_000, 7, 211, thread_id=99),
        synthetic.call(1_200, 1_800, 7, 307, kind=synthetic.KINDS.DRIVER, thread_id=99),
        synthetic.call(2_100, 2_500, 8, 41, thread_id=99),
        synthetic.kernel(5_000, 9_000, 7),
        synthetic.copy(9_100, 9_900, 8, copy_kind=2),
        synthetic.call(2_600, 10_000, 9, 131, thread_id=99),
        synthetic.wait(2_700, 9_950, 9, cupti.ActivitySynchronizationType.STREAM_SYNCHRONIZE),
    ]


def test_work_stands_under_its_launch_under_its_call_of_the_model() -> None:
    spans = trace(FakeCupti(some()))
    calls = Spans("mlharness")
    calls.add(LEVELS.index("model"), "predict", 500, 10_000, thread=99)
    calls.add(LEVELS.index("model"), "other predict", 0, 20_000, thread=100)
    table = with_parents(concatenate([calls.table(), spans.table()]))
    found = {
        table.text("name", row): table.text("name", int(parent) - 1) if parent else "-"
        for row, parent in enumerate(table.parent)
    }
    assert found == {
        "predict": "-", "other predict": "-", "cudaLaunchKernel": "predict", "cuLaunchKernel": "cudaLaunchKernel",
        "add(float*, float*)": "cuLaunchKernel", "cudaMemcpyAsync": "predict", "memcpy DTOH": "cudaMemcpyAsync",
        "cudaStreamSynchronize": "predict", "stream synchronize": "cudaStreamSynchronize",
    }  # fmt: skip


def test_everything_is_set_up_before_anything_is_recorded() -> None:
    fake = FakeCupti()
    spans = trace(fake)
    assert fake.calls[:3] == ["timestamp", "thread_id", "callbacks"]
    assert fake.calls[3:] == [
        *(f"enable {name}" for name in KINDS), *["disable"] * len(KINDS), "flush", "dropped",
    ]  # fmt: skip
    assert fake.clock is time.monotonic_ns
    assert (spans.clock, spans.dropped, spans.notes) == ("monotonic", 0, [])


def test_losses_are_counted() -> None:
    records = [*some(), synthetic.kernel(0, 0, 7), synthetic.kernel(1, 2, 7), synthetic.kernel(1, 2, 7)]
    spans = trace(FakeCupti(records, dropped=5), most=8)
    assert len(spans) == 8
    assert spans.dropped == 7
    assert spans.notes == [
        "1 records came after as many as are kept", "1 records had no times, or could not be read",
        "5 records were dropped by CUPTI",
    ]  # fmt: skip


def test_a_kind_that_the_driver_does_not_know_is_left_out() -> None:
    spans = trace(FakeCupti(some(), fail={"enable OVERHEAD": RuntimeError("not compatible")}))
    assert len(spans) == 7
    assert spans.notes == ["no records of the kind OVERHEAD: not compatible"]


def test_a_driver_that_knows_no_kind_is_broken() -> None:
    fake = FakeCupti(fail={f"enable {name}": RuntimeError("in use by another tool") for name in KINDS})
    tracer = CuptiTracer(fake)
    tracer.start()
    with pytest.raises(RuntimeError, match="in use by another tool"):
        tracer.begin()


def test_without_ids_of_threads_calls_have_none() -> None:
    spans = trace(FakeCupti(some(), fail={"thread_id": RuntimeError("too old")}))
    assert set(spans.table().thread.tolist()) == {0}
    assert spans.notes == ["CUPTI does not tell which thread launched what: too old"]


def test_a_clock_that_cannot_be_given_is_measured() -> None:
    ahead = 5_000_000_000_000_000_000 - time.monotonic_ns()
    records = [synthetic.kernel(ahead + 1_000_000_000, ahead + 1_000_000_500, 1)]
    spans = trace(FakeCupti(records, fail={"timestamp": RuntimeError("too old")}))
    assert abs(int(spans.table().start[0]) - 1_000_000_000) < 1_000_000_000
    assert spans.notes == ["CUPTI stamped by its own clock, whose distance was measured once"]


def test_names_that_are_not_told_are_numbers() -> None:
    spans = trace(FakeCupti(some(), fail={"name": RuntimeError("unknown")}))
    assert spans.table().text("name", 0) == "runtime_api 211"
