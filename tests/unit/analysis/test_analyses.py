"""XSP's analyses of a run whose every time is known: against golden files, and figures worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlharness.analysis.catalogue import ANALYSES, find_analysis
from mlharness.analysis.traced import Traced
from mlharness.errors import UserError
from tests.unit.analysis.conftest import Rows
from tests.unit.analysis.golden import FOLDER, rounded

CONV1_BYTES = 4 * (3 * 32 * 32 + 16 * 3 * 9 + 16 + 16 * 32 * 32)
CONV2_BYTES = 4 * (16 * 32 * 32 + 16 * 16 * 9 + 16 + 16 * 32 * 32)


@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.number)
def test_each_analysis_gives_what_it_gave(traced: Traced, analysis: Any) -> None:
    golden = json.loads((FOLDER / f"{analysis.number}.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(rounded(analysis.run(traced).document())))
    assert found == golden, "when this is meant: python -m tests.unit.analysis.golden"


def test_they_have_the_numbers_of_xsp() -> None:
    assert [analysis.number for analysis in ANALYSES] == [f"A{number}" for number in range(1, 16)]
    assert len({analysis.name for analysis in ANALYSES}) == 15


@pytest.mark.parametrize("word", ["A6", "a6", "latency-by-type", "Latency-By-Type"])
def test_one_is_found_by_number_and_name(word: str) -> None:
    assert find_analysis(word).number == "A6"


def test_a_misspelt_one_is_answered_with_the_likely_right_one() -> None:
    with pytest.raises(UserError, match="layer-latncy") as caught:
        find_analysis("layer-latncy")
    assert "'layer-latency'" in caught.value.remedy


def test_a1_has_the_results_figures_and_the_latency_of_a_call(rows: Rows) -> None:
    found = {row["property"]: row["value"] for row in rows("A1")}
    assert found["model"] == "tiny 1.0"
    assert found["parameters"] == 25_557_032
    assert found["predict_latency_batch_1"] == 1_000_000, "the slow call is trimmed"
    assert found["predict_throughput_batch_1"] == 1000


def test_a2_estimates_operations_and_bytes_from_shapes(rows: Rows) -> None:
    found = rows("A2")
    assert [row["flops"] for row in found] == [2 * 16 * 1024 * 27, 16_384, 2 * 16 * 1024 * 144, 16_384, 2 * 16 * 10]
    assert [row["bytes"] for row in found] == [
        CONV1_BYTES, 2 * 65_536, CONV2_BYTES, 65_536 + 64, 4 * (16 + 160 + 10 + 10),
    ]  # fmt: skip
    assert found[0]["inputs"] == "float32[1,3,32,32] float32[16,3,3,3] float32[16]"


def test_a3_knows_nothing_of_the_slow_call(rows: Rows) -> None:
    found = rows("A3")
    assert [row["latency_ns"] for row in found] == [400_000, 100_000, 300_000, 50_000, 50_000]
    assert found[0]["share"] == pytest.approx(4 / 9)


def test_a4_has_what_each_layer_allocates(rows: Rows) -> None:
    assert [row["memory_bytes"] for row in rows("A4")] == [65_536, 65_536, 65_536, 64, 40]


def test_a5_to_a7_bring_types_together(rows: Rows) -> None:
    assert rows("A5")[0] == {"type": "Conv", "layers": 2, "share": 0.4}
    assert rows("A6")[0] == {"type": "Conv", "latency_ns": 700_000, "share": pytest.approx(7 / 9)}
    assert rows("A7")[0] == {"type": "Conv", "memory_bytes": 131_072, "share": pytest.approx(131_072 / 196_712)}


def test_a8_has_each_primitive_with_its_layer(rows: Rows) -> None:
    found = [(row["type"], row["layer"], row["latency_ns"]) for row in rows("A8")]
    assert found == [("reorder", 0, 50_000), ("convolution", 0, 300_000), ("eltwise", 1, 80_000),
                     ("convolution", 2, 290_000), ("matmul", 4, 40_000)]  # fmt: skip


def test_a9_puts_kernels_under_the_roof(rows: Rows) -> None:
    reorder, first, eltwise, second, _ = rows("A9")
    assert (reorder["roof_flops_per_s"], reorder["bound"]) == (0, "memory")
    assert first["intensity"] == pytest.approx(884_736 / 79_616)
    assert (first["roof_flops_per_s"], first["bound"]) == (20e9, "compute"), (
        "11.1 operations a byte: right of the ridge"
    )
    assert (eltwise["roof_flops_per_s"], eltwise["bound"]) == (0.125 * 2e9, "memory")
    assert eltwise["attained"] == pytest.approx(16_384 / 80e-6 / 0.25e9)
    assert second["attained"] == pytest.approx(4_718_592 / 290e-6 / 20e9)


def test_a10_brings_kernels_of_one_name_together(rows: Rows) -> None:
    first = rows("A10")[0]
    assert (first["name"], first["kernels"], first["latency_ns"]) == ("brgconv:avx2", 2, 590_000)
    assert first["share"] == pytest.approx(590 / 760)
    assert first["flops"] == 884_736 + 4_718_592


def test_a11_and_a12_bring_kernels_of_one_layer_together(rows: Rows) -> None:
    assert [row["kernels"] for row in rows("A11")] == [2, 1, 1, 0, 1]
    assert [row["latency_ns"] for row in rows("A11")] == [350_000, 80_000, 290_000, 0, 40_000]
    conv1, _, _, pool, _ = rows("A12")
    assert conv1["bytes"] == 24_576 + 79_616
    assert conv1["flops_share"] == pytest.approx(884_736 / 5_620_032)
    assert (pool["flops"], pool["flops_share"]) == (None, None), "nothing is known of a layer without kernels"


def test_a13_splits_each_layers_time(rows: Rows) -> None:
    found = rows("A13")
    assert [row["non_kernel_ns"] for row in found] == [50_000, 20_000, 10_000, 50_000, 10_000]
    assert [row["kernel_share"] for row in found] == [350 / 400, 80 / 100, 290 / 300, 0, 40 / 50]


def test_a14_puts_layers_under_the_roof(rows: Rows) -> None:
    found = {row["name"]: row for row in rows("A14")}
    assert [row["bound"] for row in found.values()] == ["compute", "memory", "compute", "memory", "memory"]
    assert found["conv2"]["flops_per_s"] == pytest.approx(4_718_592 / 300e-6)
    assert found["pool"]["roof_flops_per_s"] == pytest.approx(16_384 / 65_600 * 2e9)


def test_a15_holds_all_kernels_against_a_call(rows: Rows) -> None:
    (found,) = rows("A15")
    assert (found["predict_ns"], found["latency_ns"], found["kernels"]) == (1_000_000, 760_000, 5)
    assert found["kernel_share"] == pytest.approx(0.76)
    assert found["intensity"] == pytest.approx(5_620_032 / 376_360)
    assert found["bound"] == "compute"
