"""The sections of a trace on its run's page."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlharness.analysis.loading import trace_of
from mlharness.explaining.evidence import read_evidence
from mlharness.reporting.trace.flame import read_flame
from mlharness.reporting.trace.hues import hues_of
from mlharness.reporting.trace.layers import layer_table
from mlharness.reporting.trace.sections import trace_sections
from mlharness.reporting.trace.shares import Bar, bar_of
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS, open_trace
from tests.traces import NETWORK, Delay, Layer, Primitive, make_run

TITLES = ["Where the time goes", "Timeline", "Flame graph", "Layers"]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028'\"&"


def text_of(html: str) -> str:
    """What a reader sees."""
    shown = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def sections_of(run: Path) -> dict[str, str]:
    """The HTML of a run's sections by their titles."""
    return {section.title: section.html for section in trace_sections(run)}


def bar_in(run: Path) -> Bar:
    """The bar of a run."""
    with open_trace(run) as database:
        hues = hues_of(read_flame(database))
    found = bar_of(read_evidence(run, roofline=False), trace_of(run), hues)
    assert found is not None
    return found


def test_a_traced_run_has_four_sections(tmp_path: Path) -> None:
    found = sections_of(make_run(tmp_path, queries=12))
    assert list(found) == TITLES
    drawn = "the median query, the slowest query, the fastest query and the first 10 queries."
    assert f"11 of 12 queries are drawn, with 220 of the trace's 244 spans: {drawn}" in text_of(found["Timeline"])
    assert "12 queries of the trace together" in text_of(found["Flame graph"])


def test_a_run_without_a_trace_has_none(tmp_path: Path) -> None:
    def untraced(result: dict[str, Any]) -> None:
        result["trace"] = None

    assert trace_sections(make_run(tmp_path, change=untraced)) == []


def test_a_trace_that_failed_or_is_damaged_is_told(tmp_path: Path) -> None:
    def failed(result: dict[str, Any]) -> None:
        result["trace"]["failure"] = "the traced run failed: no memory"

    run = make_run(tmp_path / "failed", change=failed)
    (run / SPANS).unlink()
    assert "cannot be shown: the traced run failed: no memory." in text_of(sections_of(run)["Where the time goes"])
    run = make_run(tmp_path / "damaged")
    (run / SPANS).write_bytes(b"PAR1 and no more")
    assert "cannot be shown" in text_of(sections_of(run)["Where the time goes"])
    duckdb.sql(f"COPY (SELECT 1 AS id) TO '{run / SPANS}' (FORMAT parquet)")
    assert "cannot be shown" in text_of(sections_of(run)["Where the time goes"])


def test_the_bar_adds_up_to_all_of_a_query(tmp_path: Path) -> None:
    bar = bar_in(make_run(tmp_path))
    assert abs(sum(piece.share for piece in bar.pieces) - 1) < 1e-9
    shares = {piece.name: round(1035 * piece.share) for piece in bar.pieces}  # thousands of nanoseconds of a query
    assert shares == {"Conv": 700, "Relu": 100, "Gemm": 50, "GlobalAveragePool": 50, "predict outside layers": 100,
                      "harness": 15, "postprocess": 20}  # fmt: skip
    assert bar.headline == "97 % of a query's latency is spent in the model, 70 % of that in Conv."
    assert (bar.before, round(1035 * bar.model), round(1035 * bar.after)) == (0, 1000, 35)


def test_without_layers_the_bar_knows_the_model_as_a_whole(tmp_path: Path) -> None:
    run = make_run(tmp_path, levels=LEVELS[:2], missing={"framework": "the framework has no profiler"})
    bar = bar_in(run)
    assert [piece.name for piece in bar.pieces if piece.of_model] == ["predict"]
    assert bar.headline == "97 % of a query's latency is spent in the model."
    found = sections_of(run)
    assert "There is no table of layers: the level framework was not traced" in text_of(found["Layers"])


def test_what_is_missing_is_told_with_its_reason(tmp_path: Path) -> None:
    def missing(result: dict[str, Any]) -> None:
        result["trace"]["levels"]["library"] = {
            "state": "missing",
            "spans": 0,
            "readings": 0,
            "reasons": ["nothing below"],
        }

    text = text_of(sections_of(make_run(tmp_path, levels=LEVELS[:3], change=missing))["Where the time goes"])
    assert "library missing 0 0 nothing below" in text
    assert "system not traced" in text
    assert "Tracing slowed the run by 10 %" in text


def test_a_row_of_the_table_has_a_layers_figures(tmp_path: Path) -> None:
    table, notes = layer_table(trace_of(make_run(tmp_path, queries=8)))
    rows = [text_of(row) for row in table.split("<tr>")[2:]]
    assert len(rows) == len(NETWORK)
    assert rows[2] == "2 conv2 Conv 300 300 – 300 33.3 % 1 97 % 64 KiB float32[1,16,32,32]"
    assert "inputs: float32[1,16,32,32] float32[16,16,3,3] float32[16]" in table
    assert notes[0] == "Measured over 8 calls of the model with a batch of 1."
    assert "All layers together take 90.0 % of a call." in notes


def test_the_spread_of_a_layer_is_between_its_deciles(tmp_path: Path) -> None:
    run = make_run(tmp_path, queries=11, delays={n: Delay(layers={"conv1": 10_000 * n}) for n in range(11)})
    (conv, *_) = trace_of(run).layers
    assert [round(decile) for decile in conv.deciles_ns] == [410_000, 450_000, 490_000]


def test_of_very_many_layers_those_with_the_most_time_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlharness.reporting.trace.layers.MOST", 3)
    layers = [Layer(f"layer{n}", "Op", 1_000 * n) for n in range(1, 6)]
    table, _ = layer_table(trace_of(make_run(tmp_path, queries=3, layers=layers)))
    assert "The 3 of 5 layers with the most time" in table
    assert re.findall(r">(layer\d)<", table) == ["layer3", "layer4", "layer5"]


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    layers = [
        Layer(HOSTILE, f"{HOSTILE}type", 900_000, primitives=[Primitive(HOSTILE, HOSTILE, 800_000, HOSTILE)]),
        Layer("x" * 100_000, "y" * 100_000, 100_000),
    ]

    def hostile(result: dict[str, Any]) -> None:
        result["trace"]["levels"]["hardware"] = {"state": "missing", "spans": 0, "readings": 0, "reasons": [HOSTILE]}

    found = sections_of(make_run(tmp_path, layers=layers, change=hostile))
    assert list(found) == TITLES
    for html in found.values():
        assert "<script>alert" not in html
        assert "<img" not in html
        assert len(html) < 100_000
    assert "&lt;img src=x" in found["Layers"]
    assert "\\u003c/script\\u003e" in found["Timeline"]
    assert "\\u003c/script\\u003e" in found["Flame graph"]
