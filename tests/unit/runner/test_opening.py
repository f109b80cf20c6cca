"""Opening data sets and models: what is installed and what the files hold must be what the plan says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlharness.builtin.inline_code import new_module
from mlharness.builtin.null import NullDataSet
from mlharness.errors import RunError, UserError
from mlharness.manifest.documents import DataSetManifest
from mlharness.manifest.reading import read_manifest
from mlharness.plan import PlannedStep, RunPlan
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import FrameworkProvider, Model, Option, TensorSpec
from mlharness.registrars import DataSetRegistrar
from mlharness.runner.job import Job
from mlharness.runner.measure import Measurement
from mlharness.runner.opening import agree, check_tensors, check_version, load_predictor, open_dataset
from tests.unit.runner.making import FakeDataSet, FakePredictor, X, Y, a_channel, a_plan


def test_too_few_labels_are_told_before_an_accuracy_run_answers_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NullDataSet, "label", lambda self, index: [0, 1, 2][index])
    dataset = replace(a_plan().dataset, options={"count": 4, "shape": [3]})
    plugins = build_manager()
    with a_channel() as (channel, _):
        Measurement(Job("measure", plan=a_plan(dataset=dataset, preprocess=())), plugins, channel)
        with pytest.raises(UserError, match="has 4 samples, and no label for sample 3"):
            Measurement(Job("measure", plan=a_plan(dataset=dataset, preprocess=()), accuracy=True), plugins, channel)


class Loader:
    """Keeps what it was asked to load."""

    def __init__(self, predictor: FakePredictor | None = None) -> None:
        self.asked: list[tuple[Model, str, Mapping[str, Any]]] = []
        self.predictor = predictor or FakePredictor()

    def __call__(self, model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> FakePredictor:
        self.asked.append((model, device, options))
        return self.predictor


def framework(load: Loader | None = None, installed: str = "1.5.0", threads: str = "") -> FrameworkProvider:
    options = (Option("threads", "integer", ""),)
    return FrameworkProvider(
        "frame", load or Loader(), lambda: installed, lambda: ("cpu",), options, (), "frame-cpu", threads
    )


class TestVersions:
    """The range that binds."""

    @pytest.mark.parametrize("wish", ["", ">=1.5,<2", "==1.5.0", "==1.5.*", "~=1.4"])
    def test_in_range(self, wish: str) -> None:
        check_version(framework(), wish)

    def test_a_nightly_build_is_in_range(self) -> None:
        check_version(framework(installed="1.6.0.dev20260101"), ">=1.5")

    @pytest.mark.parametrize("wish", ["==1.4", ">=2"])
    def test_out_of_range_says_what_to_install(self, wish: str) -> None:
        with pytest.raises(UserError, match=r"frame 1\.5\.0 is installed") as caught:
            check_version(framework(), wish)
        assert f"pip install 'frame-cpu{wish}'" in caught.value.remedy

    def test_not_installed_at_all(self) -> None:
        def missing() -> str:
            raise ModuleNotFoundError("No module named 'frame'")

        with pytest.raises(UserError, match="cannot be imported: No module named 'frame'") as caught:
            check_version(replace(framework(), version=missing), ">=2")
        assert "pip install 'frame-cpu>=2'" in caught.value.remedy


class TestLoading:
    """What a framework is given."""

    def test_model_device_and_options(self) -> None:
        loader = Loader()
        plan = a_plan(framework={"device": "cuda:1", "options": {"threads": None}}, host={"threads": 3})
        assert load_predictor(framework(loader, threads="threads"), plan) is loader.predictor
        ((model, device, options),) = loader.asked
        assert (model.name, model.files, model.attributes) == ("tiny", (Path("/m/tiny.onnx"),), {"classes": 2})
        assert (model.inputs, model.outputs, device) == ((X,), (Y,), "cuda:1")
        assert options == {"threads": 3}

    def test_threads_that_were_chosen_as_an_option_stay(self) -> None:
        loader = Loader()
        load_predictor(framework(loader, threads="threads"), a_plan(framework={"options": {"threads": 7}}))
        assert loader.asked[0][2] == {"threads": 7}

    def test_a_framework_without_such_an_option_is_told_nothing(self) -> None:
        loader = Loader()
        load_predictor(framework(loader), a_plan(framework={"options": {}}))
        assert loader.asked[0][2] == {}


A, B = TensorSpec("a", "float32", (None, 3)), TensorSpec("b", "int64", (None,))


class TestTensors:
    """The manifest against the model."""

    @pytest.mark.parametrize("kind", ["inputs", "outputs"])
    @pytest.mark.parametrize(
        ("found", "declared"),
        [
            ((A, B), ()),
            ((A, B), (A, B)),
            ((A,), (replace(A, shape=(8, None)),)),
            ((replace(A, shape=(None, None)),), (A,)),
        ],
    )
    def test_what_agrees(self, kind: str, found: Sequence[TensorSpec], declared: Sequence[TensorSpec]) -> None:
        check_tensors(kind, found, declared, "m")

    def test_inputs_may_stand_in_any_order_and_outputs_may_not(self) -> None:
        check_tensors("inputs", (A, B), (B, A), "m")
        with pytest.raises(UserError, match="has the outputs 'a', 'b', and the manifest declares 'b', 'a'"):
            check_tensors("outputs", (A, B), (B, A), "m")

    @pytest.mark.parametrize("kind", ["inputs", "outputs"])
    @pytest.mark.parametrize(
        ("declared", "words"),
        [
            ((A,), "declares 'a'"),
            ((A, B, replace(B, name="c")), "'c'"),
            ((A, A), "declares 'a', 'a'"),
            ((A, replace(B, dtype="int32")), r"'b' is int64 \[None\] in the model, and int32 \[None\] in the manifest"),
            ((replace(A, shape=(None, 4)), B), r"'a' is float32 \[None, 3\] in the model, and float32 \[None, 4\]"),
            ((replace(A, shape=(None,)), B), "'a' is float32"),
        ],
    )
    def test_what_does_not(self, kind: str, declared: Sequence[TensorSpec], words: str) -> None:
        with pytest.raises(UserError, match=words) as caught:
            check_tensors(kind, (A, B), declared, "m")
        assert caught.value.remedy == f"Correct {kind} in the manifest."

    @pytest.mark.parametrize(
        ("shape", "other", "fits"),
        [
            ((None, 3), (None, 3), True),
            ((None, 3), (8, 3), True),
            ((3,), (4,), False),
            ((3,), (3, 1), False),
            ((), (), True),
        ],
    )
    def test_agreement_goes_both_ways(
        self, shape: tuple[int | None, ...], other: tuple[int | None, ...], fits: bool
    ) -> None:
        one, two = TensorSpec("one", "float32", shape), TensorSpec("two", "float32", other)
        assert agree(one, two) is agree(two, one) is fits


class TestDataSets:
    """Opening."""

    @pytest.fixture
    def plugins(self, monkeypatch: pytest.MonkeyPatch) -> Plugins:
        monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)
        return build_manager(allow=["builtin-sources"])

    def plan(self, folder: Path, count: int | None = None) -> RunPlan:
        dataset = replace(a_plan().dataset, provider="mine", options={"file": "rows.csv"}, count=count)
        return a_plan(dataset=dataset, host={"dataset_manifest": str(folder / "d.yaml")})

    @staticmethod
    def register(plugins: Plugins, open_: Callable[..., FakeDataSet]) -> None:
        DataSetRegistrar(plugins.catalog, "mlh-mine").dataset(
            "mine", open=open_, options=(Option("file", "string", ""),)
        )

    def test_files_are_found_beside_the_manifest(self, plugins: Plugins, tmp_path: Path) -> None:
        (tmp_path / "rows.csv").write_text("1")
        seen: list[tuple[Path, int | None]] = []

        def open_(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> FakeDataSet:
            seen.append((locate(options["file"]), count))
            return FakeDataSet(3)

        self.register(plugins, open_)
        located: dict[str, str] = {}
        assert len(open_dataset(self.plan(tmp_path, 3), plugins, located=located)) == 3
        assert list(located.values()) == [str(tmp_path / "rows.csv")]
        assert seen == [(tmp_path / "rows.csv", 3)]

    def test_one_without_samples_is_the_users(self, plugins: Plugins, tmp_path: Path) -> None:
        self.register(plugins, lambda options, count, locate: FakeDataSet(0))
        with pytest.raises(UserError, match="data set 'zeros' has no samples"):
            open_dataset(self.plan(tmp_path), plugins)

    def test_python_of_the_published_manifests_finds_the_files_as_dataset(
        self, plugins: Plugins, tmp_path: Path
    ) -> None:
        class Files(FakeDataSet):
            def file(self, index: int) -> Path:
                return tmp_path / f"{index}.png"

        self.register(plugins, lambda options, count, locate: Files(3))
        arrays, published = (PlannedStep("python", "", {"convention": name}) for name in ("arrays", "published"))
        for step, expected in ((arrays, False), (published, True)):
            namespace = new_module()
            open_dataset(replace(self.plan(tmp_path), preprocess=(step,)), plugins, namespace)
            assert hasattr(namespace, "dataset") is expected
        assert namespace.dataset[1] == str(tmp_path / "1.png")

    @pytest.mark.parametrize("kind", [UserError, RunError])
    def test_it_is_checked_before_anything_is_loaded(
        self, plugins: Plugins, tmp_path: Path, kind: type[Exception]
    ) -> None:
        class Torn(FakeDataSet):
            def check(self) -> None:
                raise kind("picture 3 is torn")

        self.register(plugins, lambda options, count, locate: Torn(5))
        with pytest.raises(kind, match="picture 3 is torn"):
            open_dataset(self.plan(tmp_path), plugins)

    MANIFEST = (
        'kind: dataset\nname: zeros\nversion: "1"\nprovider: mine\noptions:\n  file: rows.csv\n'
        "  items:\n    - {file: a.png, label: 1}\n    - {file: b.png, label: 2}\n  rows: [1, 2]\n"
    )

    @pytest.mark.parametrize(
        ("asks", "says", "told"),
        [
            ("b.png", "", "9: options.items[1].file: there is no file b.png (looked for {folder}/b.png)"),
            ("a.png", "image 'a.png' cannot be read", "8: options.items[0].file: image 'a.png' cannot be read"),
            ("a.png", "{folder}/a.png is torn", "8: options.items[0].file: {folder}/a.png is torn"),
            ("", "kind 'mine': items has nothing to use", "7: options.items: kind 'mine': items has nothing to use"),
            ("", "items[1] has no 'label'", "9: options.items[1]: items[1] has no 'label'"),
            ("", "rows is [2, 1]", "10: options.rows: rows is [2, 1]"),
            ("", "nothing fits", "5: options: nothing fits"),
            ("a.png", "nothing fits", "5: options: nothing fits"),
        ],
    )
    def test_an_error_says_where_its_cause_stands(
        self, plugins: Plugins, tmp_path: Path, asks: str, says: str, told: str
    ) -> None:
        def open_(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> FakeDataSet:
            if asks:
                locate(asks)
            raise UserError(says.format(folder=tmp_path), "Mend it.")

        (tmp_path / "a.png").write_text("")
        (tmp_path / "d.yaml").write_text(self.MANIFEST)
        self.register(plugins, open_)
        dataset = replace(a_plan().dataset, provider="mine", options={"file": "rows.csv", "items": [], "rows": []})
        plan = a_plan(dataset=dataset, host={"dataset_manifest": str(tmp_path / "d.yaml")})
        with pytest.raises(UserError) as raised:
            open_dataset(plan, plugins)
        assert raised.value.message == f"{tmp_path / 'd.yaml'}:{told.format(folder=tmp_path)}"
        assert raised.value.remedy


def test_declared_by_place_or_left_open_agrees_with_the_model() -> None:
    found = [TensorSpec("images", "float32", (None, 3, 8, 8)), TensorSpec("mask", "int64", (None, 8))]
    check_tensors("inputs", found, (TensorSpec("1", "", ()), TensorSpec("0", "float32", ())), "m")
    check_tensors("outputs", found, (TensorSpec("0", "", (None, 3, 8, 8)), TensorSpec("mask", "", ())), "m")
    for declared, said in (
        (TensorSpec("0", "uint8", ()), "'images' is float32 .None, 3, 8, 8. in the model, and uint8 in the manifest"),
        (TensorSpec("0", "", (None, 8)), "and .None, 8. in the manifest"),
    ):
        with pytest.raises(UserError, match=said):
            check_tensors("inputs", found, (declared, found[1]), "m")
    with pytest.raises(UserError, match="the manifest declares '2', 'mask'"):
        check_tensors("inputs", found, (TensorSpec("2", "", ()), found[1]), "m")


class TestPythonDataSets:
    """A data set that is Python of its manifest."""

    MANIFEST = """\
kind: dataset
name: zeros
version: "1"
provider: python
options:
  init: |
    dataset = ["a.png", "b.png"]
    def init(count):
        return {count}
"""

    def plan(self, folder: Path, count: str) -> RunPlan:
        path = folder / "d.yaml"
        path.write_text(self.MANIFEST.format(count=count))
        manifest = read_manifest(path)
        assert isinstance(manifest, DataSetManifest)
        dataset = replace(a_plan().dataset, provider="python", options=manifest.options, lines=manifest.lines)
        step = PlannedStep("python", "builtin-inline", {"convention": "published"})
        return a_plan(dataset=dataset, host={"dataset_manifest": str(path)}, preprocess=(step,))

    def test_its_globals_are_those_of_the_runs_module(self, tmp_path: Path) -> None:
        namespace = new_module()
        assert len(open_dataset(self.plan(tmp_path, "len(dataset)"), inline_plugins(), namespace)) == 2
        assert namespace.dataset == ["a.png", "b.png"]

    @pytest.mark.parametrize(
        ("count", "kind", "told"),
        [
            ("1 / 0", RunError, r"d\.yaml:9: init\(count\) of the data set failed: ZeroDivisionError"),
            ("None", UserError, r"d\.yaml:8: init\(count\) returned None"),
            ("0", UserError, r"d\.yaml:\d+: options: data set 'zeros' has no samples"),
        ],
    )
    def test_errors_have_their_line(self, tmp_path: Path, count: str, kind: type[Exception], told: str) -> None:
        with pytest.raises(kind, match=told):
            open_dataset(self.plan(tmp_path, count), inline_plugins(), new_module())


def inline_plugins() -> Plugins:
    return build_manager(allow=["builtin-inline"])
