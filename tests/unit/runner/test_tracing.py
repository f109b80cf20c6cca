"""The tracers of a traced run: chosen, driven in order, and each one's failure is a note about its own level."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlharness.providers import TraceRequest, TracerProvider
from mlharness.registrars import Catalog
from mlharness.runner.job import TraceJob
from mlharness.runner.tracing import Tracing
from mlharness.trace.levels import FRAMEWORK
from mlharness.trace.spans import Spans
from tests.unit.runner.making import a_plan

STEPS = ("open", "start", "begin", "end", "collect")


class Fake:
    """Notes what is called, and raises where it is told to."""

    def __init__(self, name: str, calls: list[str], raises: str = "", gives: Any = None) -> None:
        self.name, self.calls, self.raises, self.gives = name, calls, raises, gives
        self.request: TraceRequest | None = None

    def __getattr__(self, step: str) -> Callable[[], Any]:
        if step not in STEPS:
            raise AttributeError(step)
        return lambda: self.do(step)

    def do(self, step: str) -> Any:
        self.calls.append(f"{self.name} {step}")
        if step == self.raises:
            raise RuntimeError(f"no {step}")
        return self.gives if step == "collect" else None


def provider(fake: Fake, level: str = "framework", framework: str = "", unavailable: str = "") -> TracerProvider:
    def opened(request: TraceRequest) -> Any:
        fake.request = request
        fake.do("open")
        return fake

    return TracerProvider(fake.name, level, opened, "A fake.", framework, lambda request: unavailable)


def tracing(folder: Path, *providers: TracerProvider, levels: tuple[str, ...] = ("model", "framework")) -> Tracing:
    catalog = Catalog()
    for one in providers:
        catalog.tracers.add("fake-plugin", one.name, one)
    return Tracing(TraceJob(levels, str(folder / "trace"), 2, 5), a_plan(), catalog)


def drive(traced: Tracing, *of_predictors: Any) -> dict[str, dict[str, Any]]:
    """A whole test; returns the sources by name."""
    traced.start()
    traced.begin()
    traced.end()
    found = traced.collect(of_predictors)
    json.dumps(found)
    return {source["name"]: source for source in found["sources"]}


def some(source: str) -> Spans:
    spans = Spans(source)
    spans.add(FRAMEWORK, "conv", 10, 5)
    spans.read("power", "W", 10, 1.0)
    spans.dropped = 3
    spans.notes.append("three were lost")
    return spans


def test_what_was_found_is_written_and_told(tmp_path: Path) -> None:
    calls: list[str] = []
    sources = drive(tracing(tmp_path, provider(Fake("one", calls, gives=some("one")))))
    assert calls == [f"one {step}" for step in STEPS]
    assert sources["one"] == {
        "name": "one", "level": "framework", "plugin": "fake-plugin", "state": "recorded", "reason": "", "spans": 1,
        "readings": 1, "dropped": 3, "notes": ["three were lost"],
    }  # fmt: skip
    assert len(Spans.load(tmp_path / "trace" / "one.npz")) == 1


def test_several_are_written_one_by_one(tmp_path: Path) -> None:
    sources = drive(tracing(tmp_path, provider(Fake("one", [], gives=[some("one"), some("one")]))))
    assert (sources["one"]["spans"], sources["one"]["notes"]) == (2, ["three were lost"])
    assert {path.name for path in (tmp_path / "trace").glob("*.npz")} == {"one.npz", "one-1.npz"}


def test_a_tracer_is_told_what_is_going_to_run(tmp_path: Path) -> None:
    fake = Fake("one", [])
    tracing(tmp_path, provider(fake))
    plan = a_plan()
    assert fake.request == TraceRequest(
        ("model", "framework"), tmp_path / "trace" / "one", plan.framework.name, plan.framework.device,
        plan.framework.options, plan.host.instances, plan.host.threads, 2, 5,
    )  # fmt: skip
    assert fake.request.folder.is_dir()


def test_only_what_gives_a_level_on_this_framework_is_opened(tmp_path: Path) -> None:
    calls: list[str] = []
    framework = a_plan().framework.name
    tracing(
        tmp_path,
        provider(Fake("mine", calls), framework=framework),
        provider(Fake("others", calls), framework="another"),
        provider(Fake("deeper", calls), level="library"),
    )
    assert calls == ["mine open"]


def test_a_level_that_cannot_be_given_has_its_reason(tmp_path: Path) -> None:
    calls: list[str] = []
    sources = drive(tracing(tmp_path, provider(Fake("one", calls), unavailable="no counters here")))
    assert calls == []
    assert (sources["one"]["state"], sources["one"]["reason"]) == ("missing", "no counters here")


@pytest.mark.parametrize("step", STEPS)
def test_a_tracer_that_raises_breaks_alone(tmp_path: Path, step: str, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []
    broken = provider(Fake("broken", calls, raises=step, gives=some("broken")))
    sources = drive(tracing(tmp_path, broken, provider(Fake("whole", calls, gives=some("whole")))))
    assert sources["broken"]["state"] == "broken"
    assert sources["broken"]["reason"] == f"broken failed in {step}: RuntimeError: no {step}"
    assert calls[-1] == "whole collect"
    assert [call for call in calls if call.startswith("broken")][-1] == f"broken {step}", "nothing is asked of it again"
    assert sources["whole"]["state"] == "recorded"
    assert "RuntimeError" in capsys.readouterr().err


@pytest.mark.parametrize("nonsense", [3, ["text"], object()])
def test_nonsense_breaks_its_source(tmp_path: Path, nonsense: Any) -> None:
    sources = drive(
        tracing(tmp_path, provider(Fake("one", [], gives=nonsense)), provider(Fake("whole", [], gives=some("whole"))))
    )
    assert sources["one"]["state"] == "broken"
    assert sources["whole"]["spans"] == 1


def test_nothing_found_is_nothing_written(tmp_path: Path) -> None:
    sources = drive(tracing(tmp_path, provider(Fake("one", []))))
    assert (sources["one"]["state"], sources["one"]["spans"]) == ("recorded", 0)
    assert not list((tmp_path / "trace").glob("*.npz"))


def test_spans_of_predictors_are_their_tracers(tmp_path: Path) -> None:
    traced = tracing(tmp_path, provider(Fake("one", [])))
    sources = drive(traced, some("one"), some("one"), some("unknown"), "nonsense")
    assert sources["one"]["spans"] == 2
    assert (sources["unknown"]["spans"], sources["unknown"]["state"]) == (1, "recorded")
    assert sources["predictor"]["state"] == "broken"
    assert len(list((tmp_path / "trace").glob("predictor-*.npz"))) == 3


def test_predictors_may_give_spans_without_any_tracer(tmp_path: Path) -> None:
    assert drive(tracing(tmp_path), some("own"))["own"]["spans"] == 1


def test_the_frameworks_own_tracer_is_given_to_its_predictors(tmp_path: Path) -> None:
    own, broken = Fake("own", []), Fake("broken", [], raises="open")
    traced = tracing(tmp_path, provider(broken), provider(own))
    assert traced.of_framework("fake-plugin") is own
    assert traced.of_framework("another") is None
