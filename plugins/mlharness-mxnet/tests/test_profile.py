"""Profiles of MXNet become operators with names: on profiles that are made up, so that every case is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from mlharness_mxnet.layers import Layer
from mlharness_mxnet.profile import Event, Profile, read_profile
from mlharness_mxnet.traced import Noted, Shapes, spans_of

from mlharness.trace.clock import Anchor, Offset
from mlharness.trace.spans import SpanTable, concatenate

US = 1_700_000_000_000_000
"""Microseconds of the wall clock at which everything here begins."""
LAYERS = (Layer("Convolution", "conv0", '{"index":0}'), Layer("Activation", "relu0", '{"index":1}'))


def record(name: str, phase: str, ts: int, tid: int = 5, category: str = "operator") -> str:
    return (
        f'    {{\n        "name": "{name}",\n        "cat": "{category}",\n        "ph": "{phase}",\n'
        f'        "ts": {ts},\n        "pid": 0,\n        "tid": {tid}\n    }}\n'
    )


def written(path: Path, operators: Sequence[tuple[str, int, int]], cut: int = 0) -> Path:
    """A profile as MXNet writes it, with each operator as a task beside; ``cut`` bytes shorter."""
    pairs = []
    for name, start, end in operators:
        pairs.append(f"{record(name, 'B', US + start)},\n{record(name, 'E', US + end)}")
        task = [
            record(name, phase, US + when, category="operator domain") for phase, when in (("b", start), ("e", end))
        ]
        pairs.append(",\n".join(task))
    text = '{\n    "traceEvents": [\n' + ",\n\n".join(pairs) + '\n\n    ],\n    "displayTimeUnit": "ms"\n}\n'
    path.write_text(text[: len(text) - cut])
    return path


class TestReading:
    def test_operators_with_bounds_and_threads(self, tmp_path: Path) -> None:
        path = written(tmp_path / "profile.json", [("Convolution", 1, 9), ("_sg_mkldnn_conv", 10, 10)])
        assert read_profile(path) == Profile(
            (Event("Convolution", US + 1, US + 9, 5), Event("_sg_mkldnn_conv", US + 10, US + 10, 5)), True, 0
        )

    def test_of_one_that_is_cut_off_the_whole_records_are_kept(self, tmp_path: Path) -> None:
        path = written(tmp_path / "profile.json", [("Convolution", 1, 9), ("Activation", 10, 20)], cut=500)
        profile = read_profile(path)
        assert [event.type for event in profile.events] == ["Convolution"]
        assert not profile.complete
        assert spans_of(profile, [], {}).notes[-1] == "MXNet's profile is cut off; what it holds was read"

    def test_what_is_no_valid_json_is_read(self, tmp_path: Path) -> None:
        """MXNet writes such a file when it is asked to write more than once."""
        path = written(tmp_path / "profile.json", [("Convolution", 1, 9)])
        path.write_text(path.read_text() + path.read_text())
        assert len(read_profile(path).events) == 2

    def test_of_too_many_operators_the_others_are_counted(self, tmp_path: Path) -> None:
        path = written(tmp_path / "profile.json", [("Convolution", 10 * place, 10 * place + 5) for place in range(9)])
        profile = read_profile(path, most=4)
        assert (len(profile.events), profile.dropped) == (4, 5)
        assert spans_of(profile, [], {}).dropped == 5

    @pytest.mark.parametrize("text", ["", "[1, 2]", '{"nodes": []}'])
    def test_another_file_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "profile.json").write_text(text)
        with pytest.raises(ValueError, match=r"profile\.json is no profile of MXNet"):
            read_profile(tmp_path / "profile.json")

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read_profile(tmp_path / "profile.json")

    def test_a_test_without_operators(self, tmp_path: Path) -> None:
        assert read_profile(written(tmp_path / "profile.json", [])).events == ()


def event(name: str, start: int, end: int, thread: int = 5) -> Event:
    return Event(name, US + start, US + end, thread)


def noted(*calls: tuple[int, int], thread: int = 100, layers: Sequence[Layer] = LAYERS) -> Noted:
    """A predictor's calls, in microseconds."""
    shapes: Shapes = ((1, 4),)
    times = [(1000 * (US + start), 1000 * (US + end), thread, shapes) for start, end in calls]
    return Noted(times, {shapes: layers})


def named(events: Sequence[Event], *predictors: Noted, threads: dict[int, int] | None = None) -> SpanTable:
    now = Offset(1000 * US, 0)
    found = spans_of(Profile(tuple(events), True, 0), predictors, {5: 100} if threads is None else threads)
    return concatenate([found.table(Anchor(now, now))])


def names(table: SpanTable) -> list[str]:
    return [table.text("name", row) for row in range(len(table))]


class TestNaming:
    def test_in_the_order_of_the_graph(self) -> None:
        events = [event("Convolution", 12, 20), event("Activation", 20, 25), event("Convolution", 42, 50),
                  event("Activation", 50, 55)]  # fmt: skip
        table = named(events, noted((10, 30), (40, 60)))
        assert names(table) == ["conv0", "relu0"] * 2
        assert [table.text("attributes", row) for row in range(2)] == ['{"index":0}', '{"index":1}']
        assert (table.start[0], table.duration[0], table.thread[0]) == (12_000, 8_000, 100)

    @pytest.mark.parametrize(
        "types",
        [("Activation", "Convolution"), ("Convolution",), ("Convolution", "Activation", "Activation"), ("Pooling",)],
    )
    def test_another_order_leaves_the_types(self, types: Sequence[str]) -> None:
        events = [event(kind, 12 + place, 13 + place) for place, kind in enumerate(types)]
        found = spans_of(Profile(tuple(events), True, 0), [noted((10, 30))], {5: 100})
        assert names(concatenate([found.table(Anchor(Offset(0, 0), Offset(0, 0)))])) == list(types)
        assert found.notes[0].startswith(f"{len(types)} of {len(types)} operators have their type for a name")

    def test_operators_beside_the_calls_keep_their_types(self) -> None:
        events = [event("Convolution", 1, 2), event("Convolution", 12, 20), event("Activation", 20, 25),
                  event("Convolution", 90, 99)]  # fmt: skip
        assert names(named(events, noted((10, 30)))) == ["Convolution", "conv0", "relu0", "Convolution"]

    def test_two_predictors_at_the_same_time_are_told_by_their_threads(self) -> None:
        other = (Layer("Convolution", "other", ""), LAYERS[1])
        events = [event("Convolution", 12, 20), event("Convolution", 13, 21, 6), event("Activation", 22, 25, 6),
                  event("Activation", 23, 25)]  # fmt: skip
        predictors = noted((10, 30)), noted((10, 30), thread=200, layers=other)
        table = named(events, *predictors, threads={5: 100, 6: 200})
        assert sorted(zip(table.thread.tolist(), names(table), strict=True)) == [
            (100, "conv0"), (100, "relu0"), (200, "other"), (200, "relu0"),
        ]  # fmt: skip

    def test_a_thread_that_works_for_two_predictors_gives_no_names(self) -> None:
        events = [event("Convolution", 12, 20, 9), event("Activation", 20, 25, 9)]
        table = named(events, noted((10, 30)), noted((10, 30), thread=200), threads={9: 900})
        assert names(table) == ["Convolution", "Activation"]
        assert table.thread.tolist() == [900, 900]

    def test_a_thread_that_works_for_a_single_predictor_gives_names(self) -> None:
        events = [event("Convolution", 12, 20, 9), event("Activation", 20, 25, 9)]
        assert names(named(events, noted((10, 30)), threads={})) == ["conv0", "relu0"]
