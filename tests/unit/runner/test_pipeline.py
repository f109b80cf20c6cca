"""Pipelines: steps in order, sample steps over batches, and failures that name step and sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.inline_code import new_module
from mlharness.errors import RunError, UserError
from mlharness.plan import PlannedStep
from mlharness.plugins import build_manager
from mlharness.providers import Array, Arrays, Context, Option, StepFunction
from mlharness.registrars import Catalog, StepRegistrar
from mlharness.runner.pipeline import BoundStep, Pipeline, bind
from tests.unit.runner.making import a_plan, step


def pipeline(*steps: BoundStep, parallel: bool = False) -> Pipeline:
    return Pipeline("postprocess", steps, {"classes": 2}, {"threads": 1}, parallel)


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)
    return build_manager().catalog


def test_no_steps_hand_on_what_is_there() -> None:
    raw = (np.arange(3), np.arange(2))
    assert pipeline().on_sample(raw, 0) == raw
    assert pipeline().on_batch(raw, [0, 1, 2]) is raw[0], "the first output"


def test_sample_steps_run_in_order_without_a_batch_axis() -> None:
    double, add = step(lambda array: array * 2), step(lambda array: (array + 1, array))
    first, second = pipeline(double, add).on_sample((np.array([1, 2]),), 5)
    assert (first.tolist(), second.tolist()) == ([3, 5], [2, 4])


def test_a_batch_step_sees_one_sample_as_a_batch_of_one() -> None:
    shapes: list[tuple[int, ...]] = []

    def note(array: Array) -> Array:
        shapes.append(array.shape)
        return array + 1

    (found,) = pipeline(step(note, batch=True)).on_sample((np.zeros((4, 5)),), 0)
    assert shapes == [(1, 4, 5)]
    assert found.shape == (4, 5)


def test_sample_steps_over_a_batch_stack_their_rows() -> None:
    found = pipeline(step(lambda a, b: a + b)).on_batch((np.arange(6).reshape(3, 2), np.full((3, 2), 10)), [7, 8, 9])
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[10, 11], [12, 13], [14, 15]]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_rows_of_different_lengths_stay_one_array_per_sample(count: int) -> None:
    """As boxes do: one sample has two, another none."""
    found = pipeline(step(lambda row: row[row > 0])).on_batch((np.eye(3)[:count].cumsum(axis=1),), range(count))
    assert len(found) == count
    assert [row.tolist() for row in found] == [[1.0, 1.0, 1.0], [1.0, 1.0], [1.0]][:count]


def test_steps_are_told_their_samples_and_what_the_manifest_says() -> None:
    told: list[Context] = []

    def call(arrays: Arrays, context: Context) -> Array:
        told.append(context)
        return arrays[0]

    both = pipeline(BoundStep("one", call, False, False), BoundStep("all", call, True, False))
    both.on_batch((np.zeros((2, 1)),), range(40, 42))
    assert [context["sample_indices"] for context in told] == [[40], [41], [40, 41]]
    assert told[0]["attributes"] == {"classes": 2}
    assert told[0]["options"] == {"threads": 1}


STEPS = {
    "none": (),
    "a batch step": (step(lambda array: array + 1, batch=True),),
    "one that gives a tuple": (step(lambda array: (array + 1,), batch=True),),
    "one that gives two arrays": (step(lambda array: (array, array + 1), batch=True),),
    "a sample step": (step(lambda array: array * 2),),
    "two": (step(lambda array: array * 2, batch=True), step(lambda array: array + 1)),
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_workers_function_does_the_same(steps: tuple[BoundStep, ...]) -> None:
    found = pipeline(*steps)
    function = found.batch_function()
    for first in (0, 10):
        outputs, indices = [np.arange(first, first + 6.0).reshape(3, 2)], [first, first + 1, first + 2]
        np.testing.assert_equal(function(outputs, indices), found.on_batch(outputs, indices))


def test_a_workers_function_tells_each_batch_its_own_samples() -> None:
    told: list[tuple[list[int], object]] = []

    def call(arrays: Arrays, context: Context) -> Array:
        told.append((context["sample_indices"], context["attributes"]))
        return arrays[0]

    both = pipeline(BoundStep("all", call, True, False))
    first, second = both.batch_function(), both.batch_function()
    for function, indices in ((first, [4, 5]), (second, [6]), (first, [7])):
        function((np.zeros((len(indices), 1)),), indices)
    assert told == [([4, 5], {"classes": 2}), ([6], {"classes": 2}), ([7], {"classes": 2})]


@pytest.mark.parametrize("others", [(), (step(lambda array: array),)], ids=["alone", "beside another"])
def test_a_workers_function_names_what_failed(others: tuple[BoundStep, ...]) -> None:
    def fail(array: Array) -> Array:
        raise KeyError("missing")

    function = pipeline(step(fail, batch=True, name="text.join"), *others).batch_function()
    with pytest.raises(RunError, match=r"'text\.join' failed on samples \[3, 4\]: KeyError: 'missing'"):
        function((np.zeros((2, 1)),), [3, 4])


@pytest.mark.parametrize("batch", [False, True])
def test_a_failing_step_is_named_with_its_samples(batch: bool) -> None:
    def fail(array: Array) -> Array:
        raise KeyError("missing")

    bad = pipeline(step(lambda array: array), step(fail, batch=batch, name="text.join"))
    with pytest.raises(RunError, match=r"postprocess step 'text\.join' failed on sample 5: KeyError: 'missing'"):
        bad.on_sample((np.zeros(1),), 5)
    with pytest.raises(RunError, match=r"'text\.join' failed on samples \[10, 11, 12, 13, 14, 15, 16, 17\]: KeyError"):
        bad.on_batch((np.zeros((9, 1)),), range(10, 19))


def test_an_error_with_a_remedy_keeps_it() -> None:
    def fail(array: Array) -> Array:
        raise UserError("the file is torn", "Fetch it again.")

    with pytest.raises(RunError, match="failed on sample 0: the file is torn") as caught:
        pipeline(step(fail)).on_sample((np.zeros(1),), 0)
    assert caught.value.remedy == "Fetch it again."


@pytest.mark.parametrize(
    ("steps", "parallel", "serial"),
    [([False], False, False), ([False, True], False, True), ([False, True], True, False), ([], False, False)],
)
def test_one_serial_step_makes_all_serial_unless_the_manifest_vouches(
    steps: list[bool], parallel: bool, serial: bool
) -> None:
    bound = [step(lambda array: array, serial=one) for one in steps]
    assert pipeline(*bound, parallel=parallel).serial is serial


class TestBinding:
    """Steps of a plan."""

    def test_parameters_reach_the_step(self, catalog: Catalog) -> None:
        planned = PlannedStep("tensor.scale", "builtin-tensor", {"factor": 2.0, "offset": 1.0})
        before, after = bind(a_plan(preprocess=(planned,)), catalog)
        assert before.on_sample((np.array([1, 2], np.uint8),), 0)[0].tolist() == [3.0, 5.0]
        assert (before.stage, after.stage, after.steps) == ("preprocess", "postprocess", ())

    def test_inline_blocks_share_a_module_and_are_told_the_manifests_words(self, catalog: Catalog) -> None:
        seen = "SEEN = []\ndef preprocess(ctx, data):\n    SEEN.append(ctx['attributes']['classes'])\n    return data\n"
        count = "def postprocess(ctx, data):\n    return [[len(SEEN) + SEEN[0]] for _ in ctx['sample_indices']]\n"
        before, after = bind(
            a_plan(
                preprocess=(PlannedStep("python", "builtin-inline", {"source": seen, "line": 4}),),
                postprocess=(PlannedStep("python", "builtin-inline", {"source": count, "line": 9}),),
            ),
            catalog,
        )
        assert before.serial
        before.on_sample((np.zeros(1),), 0)
        before.on_sample((np.zeros(1),), 1)
        assert np.asarray(after.on_batch([np.zeros((3, 1))], [0, 1, 2])).tolist() == [[4], [4], [4]]

    def test_a_failure_says_the_manifests_line(self, catalog: Catalog) -> None:
        source = "def preprocess(ctx, data):\n    return help_(data)\ndef help_(data):\n    return 1 / 0\n"
        step = PlannedStep("python", "builtin-inline", {"source": source, "line": 10, "convention": "published"})
        before, _ = bind(a_plan(preprocess=(step,), host={"model_manifest": "/m/tiny.yaml"}), catalog)
        told = r"builtin-inline: /m/tiny\.yaml:13: preprocess step 'python' failed on sample 4: ZeroDivisionError"
        with pytest.raises(RunError, match=told):
            before.on_sample((), 4)

    def test_the_module_may_be_that_in_which_a_data_set_ran(self, catalog: Catalog) -> None:
        namespace = new_module()
        namespace.__dict__["features"] = [np.zeros(2), np.ones(2)]
        source = "def preprocess(ctx, data): return features[int(data)]"
        step = PlannedStep("python", "builtin-inline", {"source": source, "line": 1, "convention": "published"})
        before, _ = bind(a_plan(preprocess=(step,)), catalog, namespace)
        assert before.on_sample((), 1)[0].tolist() == [1, 1]

    def test_a_wrong_parameter_is_the_users(self, catalog: Catalog) -> None:
        with pytest.raises(UserError, match="'flaot32' is no dtype"):
            bind(a_plan(preprocess=(PlannedStep("tensor.cast", "builtin-tensor", {"dtype": "flaot32"}),)), catalog)

    def test_a_step_that_cannot_be_made_is_named(self, catalog: Catalog) -> None:
        shape: Any = 5
        with pytest.raises(RunError, match=r"preprocess step 'tensor\.reshape' failed on making it: TypeError"):
            bind(a_plan(preprocess=(PlannedStep("tensor.reshape", "builtin-tensor", {"shape": shape}),)), catalog)

    def test_a_file_counts_from_the_models_manifest(self, catalog: Catalog, tmp_path: Path) -> None:
        def make(words: Path) -> StepFunction:
            """Sample step: adds how many words there are."""
            return lambda arrays, context: (arrays[0] + len(words.read_text("utf-8").split()),)

        (tmp_path / "vocab.txt").write_text("one two three", "utf-8")
        option = Option("words", "file", "Words.", required=True)
        StepRegistrar(catalog, "mine").step("mine.count", make, parameters=(option,))
        planned = PlannedStep("mine.count", "mine", {"words": "vocab.txt"})
        host = {"model_manifest": str(tmp_path / "tiny.yaml")}
        before, _ = bind(a_plan(preprocess=(planned,), host=host), catalog)
        assert before.on_sample((np.array([1]),), 0)[0].tolist() == [4]


@pytest.mark.parametrize(
    ("name", "plugin", "of_the_kernel"),
    [
        ("tensor.argmax", "builtin-tensor", True),
        ("python", "builtin-inline", False),
        ("image.class", "mlharness-vision", False),
    ],
)
def test_who_made_the_steps(name: str, plugin: str, of_the_kernel: bool) -> None:
    """Python of a manifest is run by a plugin of the kernel, and may hang as any plugin's may."""
    argmax = BoundStep("tensor.argmax", lambda arrays, context: arrays, True, False, "builtin-tensor")
    assert pipeline(argmax, BoundStep(name, lambda arrays, context: arrays, True, False, plugin)).of_the_kernel is (
        of_the_kernel
    )
