"""Layers and kernels of traced runs explain a difference that was put there."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import jsonschema
import pytest

from mlharness.comparing.comparison import compare_groups
from mlharness.comparing.groups import Group
from mlharness.comparing.runs import Run, read_run
from mlharness.comparing.traces import REST, compare_traces
from mlharness.errors import UserError
from mlharness.resources import resource_folder
from mlharness.trace.levels import LEVELS
from mlharness.trace.parquet import SPANS
from tests.traces import NETWORK, Layer, Primitive, make_run
from tests.unit.cli.conftest import Mlh, mlh  # noqa: F401  # the fixture of commands


def slower_convolution() -> list[Layer]:
    """conv1 takes 1 ms longer, in another implementation of its convolution."""
    conv = NETWORK[0]
    reorder, primitive = conv.primitives
    changed = Primitive(primitive.kind, "ref:any", primitive.ns + 1_000_000, primitive.shape)
    return [replace(conv, ns=conv.ns + 1_000_000, primitives=(reorder, changed)), *NETWORK[1:]]


def renamed(layers: list[Layer]) -> list[Layer]:
    """As another framework would call them; a convolution and what follows it as one."""
    conv, relu, *others = layers
    fused = Layer("fused", "ConvRelu", conv.ns + relu.ns - 50_000, conv.inputs, relu.outputs)
    return [fused, *(replace(layer, name=f"node_{number}") for number, layer in enumerate(others))]


def run(folder: Path, number: int, layers: list[Layer] | None = None, levels: tuple[str, ...] = LEVELS) -> Run:
    """A traced run in a folder of its own, with a name of its own."""
    made = make_run(folder / str(number), layers=layers or NETWORK, levels=levels)
    found = read_run(made)
    return replace(found, result={**found.result, "run_id": f"run-{number}"})


def test_the_layer_that_was_slowed_down_is_named(tmp_path: Path) -> None:
    found = compare_traces([run(tmp_path, 1)], [run(tmp_path, 2, slower_convolution())])
    assert found is not None
    layers = found["layers"]
    assert layers["delta_ns"] == pytest.approx(1_000_000)
    assert [(row["a"], row["how"], row["share"]) for row in layers["rows"] if row["explains"]] == [
        (["conv1"], "name", pytest.approx(1.0))
    ]
    assert {row["a"][0] for row in layers["rows"]} == {*(layer.name for layer in NETWORK), REST}


def test_the_kernel_that_was_replaced_is_named(tmp_path: Path) -> None:
    found = compare_traces([run(tmp_path, 1)], [run(tmp_path, 2, slower_convolution())])
    assert found is not None
    (row,) = (row for row in found["kernels"]["rows"] if row["explains"])
    assert (row["a"][0].split()[0], row["b"][0].split()[0]) == ("brgconv:avx2", "ref:any")
    assert (row["type"], row["how"], row["delta_ns"]) == ("convolution", "type and shape", pytest.approx(1_000_000))


def test_fused_and_renamed_layers_are_held_against_each_other(tmp_path: Path) -> None:
    found = compare_traces([run(tmp_path, 1)], [run(tmp_path, 2, renamed(list(NETWORK)))])
    assert found is not None
    first, *others = found["layers"]["rows"]
    assert (first["a"], first["b"], first["how"]) == (["conv1", "relu1"], ["fused"], "block")
    assert first["delta_ns"] == pytest.approx(-50_000)
    assert {(row["a"][0], row["how"]) for row in others} == {
        ("conv2", "type and shape"), ("pool", "type and shape"), ("fc", "type and shape"), (REST, "name"),
    }  # fmt: skip


def test_several_traced_runs_count_by_their_means(tmp_path: Path) -> None:
    found = compare_traces([run(tmp_path, 1), run(tmp_path, 2, slower_convolution())], [run(tmp_path, 3)])
    assert found is not None
    assert found["runs"] == [2, 1]
    assert found["layers"]["delta_ns"] == pytest.approx(-500_000)


def test_without_a_trace_on_a_side_there_is_nothing(tmp_path: Path) -> None:
    untraced = run(tmp_path, 2)
    assert untraced.directory is not None
    (untraced.directory / SPANS).unlink()
    assert compare_traces([run(tmp_path, 1)], [untraced]) is None
    assert compare_traces([run(tmp_path, 3)], [replace(untraced, directory=None)]) is None


def test_a_trace_without_layers_says_why(tmp_path: Path) -> None:
    found = compare_traces([run(tmp_path, 1)], [run(tmp_path, 2, levels=LEVELS[:2])])
    assert found is not None
    assert (found["layers"], found["kernels"]) == (None, None)
    first = found["missing"][0]
    assert (first["part"], first["side"]) == ("layers", "b")
    assert first["reason"].startswith("the level framework")


def test_a_damaged_trace_is_named_and_the_figures_are_there(tmp_path: Path) -> None:
    damaged = run(tmp_path, 2)
    assert damaged.directory is not None
    (damaged.directory / SPANS).write_bytes(b"PAR1")
    with pytest.raises(UserError, match="cannot be read"):
        compare_traces([run(tmp_path, 1)], [damaged])
    (found,) = compare_groups([Group("a", (run(tmp_path, 3),)), Group("b", (damaged,))])["comparisons"]
    assert found["traces"] is None
    assert any("cannot be read" in note for note in found["notes"])
    assert found["metrics"]


def test_the_document_follows_the_schema(tmp_path: Path) -> None:
    document = compare_groups([Group("a", (run(tmp_path, 1),)), Group("b", (run(tmp_path, 2, slower_convolution()),))])
    schema = json.loads((resource_folder("schemas") / "comparison.v1.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["comparisons"][0]["traces"]["layers"]["rows"]


@pytest.mark.parametrize("form", [(), ("--format", "markdown")])
def test_tables_of_layers_and_kernels(mlh: Mlh, tmp_path: Path, form: tuple[str, ...]) -> None:  # noqa: F811
    runs = [
        str(make_run(tmp_path / name, layers=layers, change=partial(dict.update, run_id=name)))
        for name, layers in (("one", NETWORK), ("other", slower_convolution()))
    ]
    ran = mlh("compare", *runs, *form)
    assert ran.code == 0, ran.err
    assert "layers in a traced call: 1.000 ms and 2.000 ms, +1,000.0 us" in ran.out
    assert "100 % *" in ran.out.replace("\\", "")
    assert "brgconv:avx2" in ran.out
    assert "ref:any" in ran.out
