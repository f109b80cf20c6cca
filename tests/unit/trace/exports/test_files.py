"""Exports that are files, read back by what reads them, or by their format's own rules."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import UserError
from mlharness.trace.exports import chrome, folded, perfetto, speedscope
from mlharness.trace.exports.rows import Row, Trace, place
from mlharness.trace.exports.table import FILES, write_file


def written(form: Any, trace: Trace) -> bytes:
    file = io.BytesIO()
    count = form.write(trace, file)
    assert count
    return file.getvalue()


def test_chrome(trace: Trace) -> None:
    document = json.loads(written(chrome, trace))
    spans = [event for event in document["traceEvents"] if event["ph"] == "X"]
    assert len(spans) == len(trace.rows)
    first = next(event for event in spans if event["name"] == "conv1")
    [row] = [row for row in trace.rows if row.name == "conv1" and row.query == 0]
    assert first["dur"] == pytest.approx(row.duration_ns / 1e3)
    assert first["ts"] == pytest.approx((row.start_ns - trace.rows[0].start_ns) / 1e3)
    assert first["args"]["kind"] == "Conv"
    counters = [event for event in document["traceEvents"] if event["ph"] == "C"]
    assert len(counters) == len(trace.readings) > 0
    named = {event["tid"] for event in document["traceEvents"] if event["ph"] == "M" and "tid" in event}
    assert named == {event["tid"] for event in spans}


def test_folded_adds_up(trace: Trace) -> None:
    stacks = {}
    for line in written(folded, trace).decode().splitlines():
        stack, _, own = line.rpartition(" ")
        stacks[stack] = int(own)
    below = "run;measure;query;batch;predict;model_run"
    assert stacks[f"{below};conv1;conv1/Convolution;brgconv:avx2"] == 5 * 300_000
    assert stacks[f"{below};pool"] == 5 * 50_000
    run = next(row for row in trace.rows if row.name == "run")
    assert sum(stacks.values()) == run.duration_ns


def test_folded_names_hold_no_separator() -> None:
    row = Row(1, 0, -1, "model", "a;b\nc", "", 0, 7, 0, "", "none", None, 0)
    assert folded.fold([row]) == Counter({"a,b c": 7})


@pytest.mark.parametrize("name", ["trace", "overlapping"])
def test_speedscope_follows_its_rules(name: str, request: pytest.FixtureRequest) -> None:
    """Frames exist, events are in order, and each end is that of the last begin."""
    trace: Trace = request.getfixturevalue(name)
    document = json.loads(written(speedscope, trace))
    assert document["$schema"] == speedscope.SCHEMA
    frames = document["shared"]["frames"]
    opened = 0
    for profile in document["profiles"]:
        stack: list[int] = []
        at = profile["startValue"]
        for event in profile["events"]:
            assert event["at"] >= at
            at = event["at"]
            if event["type"] == "O":
                assert 0 <= event["frame"] < len(frames)
                stack.append(event["frame"])
                opened += 1
            else:
                assert stack.pop() == event["frame"]
        assert not stack
        assert at == profile["endValue"]
    assert opened == len(trace.rows)
    assert document["profiles"][document["activeProfileIndex"]]["name"] == "calls 1001"


@pytest.mark.parametrize("name", ["trace", "overlapping"])
def test_perfetto_is_parsed_back(name: str, request: pytest.FixtureRequest) -> None:
    """By Perfetto's own messages: names are interned, every begin has its end, and times are those of the spans."""
    messages = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="no package perfetto")
    trace: Trace = request.getfixturevalue(name)
    parsed = messages.Trace.FromString(written(perfetto, trace))
    names: dict[int, str] = {}
    tracks: dict[int, str] = {}
    open_: dict[int, list[tuple[str, int]]] = {}
    found: Counter[tuple[str, int, int]] = Counter()
    counters = 0
    for packet in parsed.packet:
        names |= {entry.iid: entry.name for entry in packet.interned_data.event_names}
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor.name
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        assert event.track_uuid in tracks
        if event.type == event.TYPE_SLICE_BEGIN:
            open_.setdefault(event.track_uuid, []).append((names[event.name_iid], packet.timestamp))
        elif event.type == event.TYPE_SLICE_END:
            begun, start = open_[event.track_uuid].pop()
            found[begun, start, packet.timestamp - start] += 1
        else:
            counters += 1
    assert not any(open_.values())
    drawn = [(row.name, start_ns, end_ns - start_ns) for row, _, start_ns, end_ns in place(trace.rows)]
    assert found == Counter(drawn)
    assert counters == len(trace.readings)
    clocks = {clock.clock_id: clock.timestamp for clock in parsed.packet[0].clock_snapshot.clocks}
    assert clocks[1] - clocks[3] == trace.offset_ns


def test_without_the_package_there_is_a_remedy(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "perfetto.trace_builder.proto_builder", None)
    with pytest.raises(UserError) as caught:
        perfetto.write(trace, io.BytesIO())
    assert "mlharness[exports]" in caught.value.remedy


def test_a_file_is_whole_or_not_there(trace: Trace, tmp_path: Path) -> None:
    target = tmp_path / f"trace{FILES['chrome'].ending}"
    assert write_file(trace, "chrome", target) == len(trace.rows)
    assert json.loads(target.read_text())["otherData"]["run"] == trace.run_id
    with pytest.raises(UserError, match="cannot be written"):
        write_file(trace, "chrome", tmp_path / "nowhere" / "x.json")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
