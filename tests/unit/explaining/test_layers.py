"""Layers of a trace: which operators are layers, and that disturbed calls do not count."""

from __future__ import annotations

from pathlib import Path

from mlharness.explaining.layers import Layer, read_layers
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import open_trace
from tests.traces import EDGE, Delay, make_run


def test_inner_operators_are_no_layers_and_disturbed_calls_do_not_count(tmp_path: Path) -> None:
    # of eleven calls the two slowest, and the two fastest, are left out
    run = make_run(tmp_path, queries=11, delays={3: Delay(layers={"fc": 10**9}), 4: Delay(predict=10**9)})
    with open_trace(run, "framework") as database:
        found = read_layers(database)
    assert found is not None
    assert found.calls == 7
    assert found.layers[0] == Layer("conv1", "Conv", 7, 7 * 400_000)
    assert [layer.name for layer in found.layers] == ["conv1", "conv2", "relu1", "fc", "pool"]
    assert found.predict_ns == 7 * (2 * EDGE + 900_000)
    assert found.by_kind()[0] == ("Conv", 7 * 700_000)


def test_without_the_framework_level_there_are_none(tmp_path: Path) -> None:
    with open_trace(make_run(tmp_path, levels=LEVELS[:2]), "framework") as database:
        assert read_layers(database) is None
