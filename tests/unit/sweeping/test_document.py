"""A sweep's file: what it asks for, and what is told when it asks for nothing, too much, or something unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import ManifestError, UserError
from mlharness.plugins import build_manager
from mlharness.resources import resource_folder
from mlharness.sweeping.document import MAX_RUNS, find_sweep, read_sweep
from mlharness.sweeping.order import schedule
from tests.unit.cli.conftest import Mlh, mlh
from tests.unit.sweeping.conftest import Write

__all__ = ["mlh"]  # a fixture


def cells(path: Path, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(cell, key) for key in keys) for cell in read_sweep(path).cells]


def problem(path: Path) -> str:
    with pytest.raises(ManifestError) as raised:
        read_sweep(path)
    return raised.value.message


def test_the_product_has_every_cell_the_last_list_changing_first(write: Write) -> None:
    path = write(frameworks=["x"], batch_sizes=[1, 4], scenarios=["Offline", "Server"])
    found = cells(path, "model", "batch_size", "scenario")
    assert found == [
        (model, batch, scenario) for model in "ab" for batch in (1, 4) for scenario in ("Offline", "Server")
    ]


def test_what_has_no_list_is_left_to_bench(write: Write) -> None:
    keys = ("framework", "device", "batch_size", "instances", "scenario")
    assert set(cells(write(), *keys)) == {(None, "cpu", None, None, "SingleStream")}


def test_versions_of_a_framework(write: Write) -> None:
    path = write(models=["a"], frameworks=["x", "y==3", {"z": ["1", "2"]}])
    assert cells(path, "framework") == [("x",), ("y==3",), ("z==1",), ("z==2",)]


def test_excludes_take_patterns_lists_and_every_version(write: Write) -> None:
    path = write(
        models=["a18", "a34", "b"],
        frameworks=["x", "y==1", "y==2"],
        exclude=[{"model": "a*", "framework": "y"}, {"model": ["b"], "framework": ["x", "y==2"]}],
    )
    assert cells(path, "model", "framework") == [("a18", "x"), ("a34", "x"), ("b", "y==1")]


def test_includes_put_their_keys_in_the_place_of_the_lists(write: Write) -> None:
    path = write(
        models=["a"],
        frameworks=["x", "y"],
        batch_sizes=[1],
        settings={"count": 3, "warmup": 1},
        include=[{"batch_size": [8, 16], "framework": "y", "settings": {"count": 5}}, {"model": "a"}],
    )
    assert cells(path, "framework", "batch_size") == [("x", 1), ("y", 1), ("y", 8), ("y", 16)], "each once"
    assert dict(read_sweep(path).cells[-1].settings) == {"count": 5, "warmup": 1}


def test_a_cells_id_is_of_what_is_asked(write: Write) -> None:
    first = read_sweep(write(batch_sizes=[1, 2]))
    later = read_sweep(write(batch_sizes=[2], repetitions=3, description="more"))
    assert {cell.id for cell in later.cells} < {cell.id for cell in first.cells}
    assert read_sweep(write(batch_sizes=[2], settings={"count": 1})).cells[0].id != later.cells[0].id


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"models": []}, "s.yaml:2: models: a list of 0 (allowed: at least 1 item)"),
        ({"model": ["a"]}, "did you mean 'models'?"),
        ({"scenarios": ["offline"]}, "scenarios[0]: 'offline' (allowed: SingleStream, MultiStream, Server, Offline);"),
        ({"devices": ["gpu"]}, "devices[0]: 'gpu' (allowed: cpu or cuda:N)"),
        ({"batch_sizes": [0]}, "batch_sizes[0]: 0 (allowed: at least 1)"),
        ({"frameworks": [{"torch": [2.1]}]}, "frameworks[0].torch[0]: 2.1 (allowed: text); did you mean '2.1'?"),
        ({"settings": {"durations": 3}}, "settings.durations: unknown key"),
        ({"order": {"random": "x"}}, "order.random: 'x' (allowed: a whole number)"),
        ({"exclude": [{"model": "c"}]}, "exclude[0]: matches no cell of the product"),
        ({"exclude": [{"model": "*"}]}, "exclude: every cell of the product is excluded"),
        ({"repetitions": MAX_RUNS}, "repetitions: 2 cells x 10,000 repetitions are 20,000 runs (allowed: at"),
        ({"batch_sizes": [*range(1, 501)], "instances": [*range(1, 1001)]}, "models: a product of 1,000,000 cells"),
        ({"include": [{"batch_size": [*range(1, 60_000)]}]}, "include[0]: a product of 119,998 cells"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(write: Write, keys: dict[str, Any], told: str) -> None:
    assert told in problem(write(**keys))


def test_a_model_is_no_sweep() -> None:
    path = resource_folder("manifests") / "models" / "null.yaml"
    assert "null.yaml:2: kind: 'model' (allowed: sweep)" in problem(path)


def test_interleaved_rounds_go_back_and_forth(write: Write) -> None:
    order = schedule(read_sweep(write(repetitions=3)))
    assert "".join(unit.cell.model for unit in order) == "abbaab"
    assert [unit.repetition for unit in order] == [1, 1, 2, 2, 3, 3]


def test_a_random_order_has_every_run_and_depends_on_the_seed_alone(write: Write) -> None:
    def order(seed: int) -> list[tuple[str, int]]:
        sweep = read_sweep(write(models=list("abcdefgh"), repetitions=2, order={"random": seed}))
        return [(unit.cell.model, unit.repetition) for unit in schedule(sweep)]

    assert sorted(order(1)) == [(model, number) for model in "abcdefgh" for number in (1, 2)]
    assert order(1) == order(1) != order(2)


def test_shipped_sweeps_are_right_and_found_by_name() -> None:
    catalog = build_manager().catalog
    folder = resource_folder("manifests") / "sweeps"
    assert sorted(folder.glob("*.yaml"))
    for path in folder.glob("*.yaml"):
        assert find_sweep(path.stem, catalog) == path
        assert read_sweep(path).name == path.stem
    with pytest.raises(UserError, match="Did you mean 'resnet-family'"):
        find_sweep("resnet-famly", catalog)


def test_the_resnet_family_is_that_of_the_case_study() -> None:
    sweep = read_sweep(resource_folder("manifests") / "sweeps" / "resnet-family.yaml")
    assert len(sweep.cells) == 6 * 4
    assert {(cell.scenario, cell.batch_size) for cell in sweep.cells} == {("Offline", 1)}


def test_validate_takes_sweeps(mlh: Mlh, write: Write) -> None:
    assert mlh("validate", str(write())).code == 0
    ran = mlh("validate", str(write(scenarios=["offline"], devices=["gpu"])))
    assert ran.code == 2
    assert "scenarios[0]: 'offline'" in ran.out
    assert "devices[0]: 'gpu'" in ran.out
