"""The flame graph: sums over all queries by the way down."""

from __future__ import annotations

from pathlib import Path

from mlharness.reporting.trace.flame import Node, fitting, read_flame
from mlharness.reporting.trace.flame_document import flame_document, paths_table
from mlharness.reporting.trace.hues import KINDS, OTHER, hues_of
from mlharness.trace.levels import FRAMEWORK, LIBRARY
from mlharness.trace.parquet import open_trace
from tests.traces import Delay, make_run


def flame_of(run: Path) -> list[Node]:
    """The flame graph of a run directory."""
    with open_trace(run) as database:
        return read_flame(database)


def at(roots: list[Node], *way: str) -> Node:
    """The node at the end of a way."""
    found = roots
    node = None
    for name in way:
        (node,) = [one for one in found if one.name == name]
        found = list(node.children)
    assert node is not None
    return node


CALL = ("query", "batch", "predict", "model_run")


def test_all_queries_are_added_up_by_the_way_down(tmp_path: Path) -> None:
    roots = flame_of(make_run(tmp_path, queries=7))
    assert [root.name for root in roots] == ["query"]
    conv = at(roots, *CALL, "conv1", "conv1/Convolution", "brgconv:avx2")
    assert (conv.count, conv.total, conv.own, conv.level, conv.kind) == (
        7,
        2_100_000,
        2_100_000,
        LIBRARY,
        "convolution",
    )
    assert at(roots, *CALL, "conv1").total == 7 * 400_000
    assert at(roots, *CALL, "conv1", "conv1/Convolution").own == 7 * (398_000 - 350_000)


def test_children_stand_in_the_order_of_execution(tmp_path: Path) -> None:
    roots = flame_of(make_run(tmp_path, queries=3))
    assert [child.name for child in at(roots, *CALL).children] == ["conv1", "relu1", "conv2", "pool", "fc"]
    assert [child.name for child in at(roots, "query", "batch").children] == [
        "gather", "predict", "postprocess", "complete",
    ]  # fmt: skip


def test_loading_and_the_states_of_threads_are_no_part_of_it(tmp_path: Path) -> None:
    names = {node.name for root in flame_of(make_run(tmp_path)) for _, node in root.walk()}
    assert not names & {"run", "load", "warm up", "measure", "running", "preempted"}


def test_a_node_has_room_for_children_that_ran_side_by_side(tmp_path: Path) -> None:
    """One query of four batches on two threads: the batches together take twice as long as the query."""
    (query,) = flame_of(make_run(tmp_path, queries=1, samples=4, instances=2))
    (batch,) = (child for child in query.children if child.name == "batch")
    assert query.width == sum(child.width for child in query.children) > query.total
    assert (batch.count, query.own) == (4, 0)


def test_small_nodes_are_drawn_as_one_and_nothing_is_lost() -> None:
    leaves = [Node(FRAMEWORK, f"op{number}", "Op", 1, 10) for number in range(100)]
    root = Node(FRAMEWORK, "root", "", 1, 1_000_000, (Node(FRAMEWORK, "large", "Op", 1, 900_000), *leaves))
    (found,) = fitting([root])
    large, merged = found.children
    assert (large.name, merged.merged, merged.count, merged.total) == ("large", 100, 100, 1_000)
    assert found.own == root.own


def test_there_are_never_more_nodes_than_a_page_holds() -> None:
    rows = [Node(FRAMEWORK, f"row{row}", "Op", 1, 1_000, [Node(LIBRARY, f"{row}", "", 1, 900)]) for row in range(300)]
    (found,) = fitting([Node(FRAMEWORK, "root", "", 1, 300_000, rows)], most=100)
    assert sum(1 for _ in found.walk()) <= 100
    assert found.total == 300_000


def test_types_have_colours_by_their_time_and_what_is_inside_of_a_layer_has_the_layers(tmp_path: Path) -> None:
    roots = flame_of(make_run(tmp_path, queries=2, delays={0: Delay(layers={"fc": 9_000_000})}))
    hues = hues_of(roots)
    assert [(kind, level) for kind, level, _ in hues.types[:3]] == [
        ("Gemm", FRAMEWORK), ("Conv", FRAMEWORK), ("convolution", LIBRARY),
    ]  # fmt: skip
    document = flame_document(roots, hues, None)
    colour = dict(zip(document["name"], document["hue"], strict=True))
    assert (colour["fc"], colour["conv1"], colour["conv1/Convolution"]) == (KINDS, KINDS + 1, KINDS + 1)
    assert hues.of(FRAMEWORK, "Unheard") == OTHER


def test_the_table_in_its_place_has_the_most_own_time_first(tmp_path: Path) -> None:
    text = paths_table(flame_of(make_run(tmp_path, queries=4)))
    first = text[text.index("<tbody>") :]
    assert first.index("conv1 › conv1/Convolution › brgconv:avx2") < first.index("conv1 › conv1/Convolution › jit:uni")
    assert "1.200" in first
