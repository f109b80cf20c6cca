"""Planning: who wins, what is refused before a runner starts, and how cores are shared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlharness import planning
from mlharness.builtin import inline, sources
from mlharness.choices import Choices
from mlharness.errors import ManifestError, PluginError, UserError
from mlharness.manifest.documents import (
    BenchDefaults,
    DataSetManifest,
    FrameworkWish,
    MetricWish,
    MlperfFacts,
    ModelFile,
    ModelManifest,
    Origin,
    Step,
)
from mlharness.plan import PlannedMetric, RunPlan
from mlharness.planning import check_device, make_plan, share_cores
from mlharness.providers import Array, Option, Predictor, ResponseSpec, Score, StepFunction
from mlharness.registrars import (
    Catalog,
    DataSetRegistrar,
    FrameworkRegistrar,
    MetricRegistrar,
    SourceRegistrar,
    StepRegistrar,
)
from tests.unit.runner.making import SHA

CORES = (0, 2, 4, 6)
Plan = Callable[..., RunPlan]
SOURCE = ("source", "line", "convention")


def load(model: Any, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    raise AssertionError("planning loads nothing")


def version() -> str:
    raise AssertionError("planning imports no framework")


def make(size: int) -> StepFunction:
    """Resize."""
    raise AssertionError("planning makes no step")


def open_nothing(options: Any, count: Any, locate: Any) -> Any:
    raise AssertionError("planning opens no data set")


def score(responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]) -> Score:
    """Score nothing."""
    raise AssertionError("planning scores nothing")


def any_option(name: str) -> Option:
    return Option(name, "integer" if name == "line" else "string", "")


@pytest.fixture
def catalog() -> Catalog:
    """Two frameworks, a step, a metric and a kind of data set, none of which may be called."""
    filled = Catalog()
    options = (Option("level", "integer", "How far.", default=1), Option("threads", "integer", "How many."))
    register = FrameworkRegistrar(filled, "mlh-frame").framework
    register("frame", load=load, version=version, options=options, aliases=("Frame Work",), threads="threads")
    register("other", load=load, version=version, options=options)
    size = Option("size", "integer", "Pixels.", required=True)
    steps = StepRegistrar(filled, "mlh-steps")
    steps.step("image.resize", make, parameters=(size,))
    steps.step("python", make, parameters=tuple(map(any_option, SOURCE)))
    inline.mlh_register_metrics(MetricRegistrar(filled, "builtin-inline"))
    metrics = MetricRegistrar(filled, "mlh-metrics")
    columns = Option("columns", "integer", "", default=7)
    metrics.metric(
        "map",
        score=score,
        response=lambda options: ResponseSpec("float32", (None, options["columns"])),
        options=(columns,),
    )
    DataSetRegistrar(filled, "mlh-data").dataset("files", open=open_nothing, options=(size,))
    return filled


MODEL = ModelManifest(
    Origin(Path("models/m.yaml"), SHA),
    "m",
    "1.0",
    FrameworkWish("Frame Work", ">=1,<2", {"level": 2}),
    files=(ModelFile("m.bin"),),
    dataset="d",
    preprocess=(Step("image.resize", {"size": 8}, 12),),
    metric=MetricWish("map", {}, 0.5),
)
DATASET = DataSetManifest(Origin(Path("datasets/d.yaml"), SHA), "d", "1.0", "files", options={"size": 3})


@pytest.fixture
def plan(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """``plan(model fields, **choices)`` on a host of four cores."""
    monkeypatch.setattr(planning, "usable_cores", lambda: CORES)

    def make_it(fields: Mapping[str, Any] | None = None, blocked: Sequence[str] = (), **choices: Any) -> RunPlan:
        model = replace(MODEL, **(fields or {}))
        files = [(Path("/cache/m.bin"), SHA)] * len(model.files)
        return make_plan(model, DATASET, Choices(**choices), catalog, files, blocked)

    return make_it


def test_nothing_is_imported_called_or_opened_and_everything_is_resolved(plan: Plan) -> None:
    made = plan(blocked=("mlh-blocked",))
    assert (made.framework.name, made.framework.plugin, made.framework.version) == ("frame", "mlh-frame", ">=1,<2")
    assert made.framework.options == {"level": 2, "threads": None}
    assert made.preprocess[0].parameters == {"size": 8}
    assert made.preprocess[0].plugin == "mlh-steps"
    assert made.dataset.options == {"size": 3}
    assert made.metric is not None
    assert made.metric.response == ResponseSpec("float32", (None, 7))
    assert made.metric.target == 0.5
    assert made.host.model_files == ("/cache/m.bin",)
    assert Path(made.host.model_manifest).is_absolute()
    assert made.host.blocked == ("mlh-blocked",)


def test_the_data_directory_is_the_users_else_the_environments_and_never_hashed(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATA_DIR", raising=False)
    assert plan().host.data_dir == ""
    monkeypatch.setenv("DATA_DIR", "/data")
    assert plan().host.data_dir == "/data"
    monkeypatch.chdir(tmp_path)
    assert plan(data_dir=Path("mine")).host.data_dir == str(tmp_path / "mine")
    assert plan(data_dir=Path("mine")).sha256 == plan().sha256


def test_python_without_samples_needs_python_that_opens_them(catalog: Catalog) -> None:
    source = Option("init", "string", "")
    DataSetRegistrar(catalog, "builtin-inline").dataset(
        "python", open=open_nothing, options=(source, any_option("sample"))
    )
    origin = Origin(Path("d.yaml"), SHA)
    without = DataSetManifest(origin, "d", "1", "python", options={"init": "..."}, lines={"init": 7})
    published = replace(MODEL, preprocess=(Step("python", {"source": "...", "convention": "published"}, 3),))
    files = [(Path("m.bin"), SHA)]
    with pytest.raises(UserError, match=r"d\.yaml: options: the data set has no sample\(index\)"):
        make_plan(MODEL, without, Choices(), catalog, files)
    made = make_plan(published, without, Choices(), catalog, files)
    assert made.dataset.lines == {"init": 7}
    assert made.dataset.options == {"init": "...", "sample": None}
    with_samples = replace(without, options={"init": "...", "sample": "..."})
    assert make_plan(MODEL, with_samples, Choices(), catalog, files).dataset.options["sample"] == "..."


class TestFramework:
    """Which framework, which range of versions, which options."""

    def test_the_manifests_own_under_another_spelling_keeps_range_and_options(self, plan: Plan) -> None:
        for spelling in ("frame", "Frame", "frame-work"):
            made = plan(framework=spelling).framework
            assert (made.name, made.version, made.options["level"]) == ("frame", ">=1,<2", 2)

    def test_the_users_range_wins_and_the_options_stay(self, plan: Plan) -> None:
        made = plan(framework="frame==1.5").framework
        assert (made.version, made.options["level"]) == ("==1.5", 2)

    def test_another_framework_takes_nothing_of_the_manifests_wishes(self, plan: Plan) -> None:
        made = plan(framework="other").framework
        assert (made.name, made.version, made.options["level"]) == ("other", "", 1)

    def test_the_manifests_framework_need_not_be_installed_for_another(self, plan: Plan) -> None:
        wish = FrameworkWish("not-installed", "==9", {"unknown": 1})
        assert plan({"framework": wish}, framework="other").framework.name == "other"
        with pytest.raises(PluginError, match="no framework is named 'not-installed'"):
            plan({"framework": wish})

    def test_the_command_line_wins_over_the_manifest(self, plan: Plan) -> None:
        assert plan(options=("level=3", "level=4")).framework.options["level"] == 4

    def test_the_alias_for_threads_wins_over_the_manifest_and_not_over_the_option_itself(self, plan: Plan) -> None:
        fields = {"framework": FrameworkWish("frame", "", {"threads": 8})}
        assert plan(fields).framework.options["threads"] == 8
        assert plan(fields, threads=2).framework.options["threads"] == 2
        assert plan(fields, threads=2, options=("threads=3",)).framework.options["threads"] == 3
        assert plan(framework="other", threads=2).framework.options["threads"] is None, "it has no such alias"

    @pytest.mark.parametrize(
        ("choice", "words"),
        [
            ({"framework": "frame=>1"}, "--framework 'frame=>1'"),
            ({"framework": "farme"}, "no framework is named 'farme'"),
            ({"options": ("levle=3",)}, "no option 'levle'"),
            ({"options": ("level=high",)}, "level is 'high'"),
            ({"options": ("level",)}, "has no '='"),
        ],
    )
    def test_mistakes(self, plan: Plan, choice: dict[str, Any], words: str) -> None:
        with pytest.raises(UserError, match=words) as caught:
            plan(**choice)
        assert caught.value.remedy


class TestSteps:
    """Steps are resolved against what their plugins declare."""

    @pytest.mark.parametrize(
        ("step", "words"),
        [
            (Step("image.rezise", {}, 31), "no step is named 'image.rezise'"),
            (Step("image.resize", {"width": 3}, 31), "no option 'width'"),
            (Step("image.resize", {}, 31), "size"),
            (Step("image.resize", {"size": "big"}, 31), "size is 'big'"),
        ],
    )
    def test_a_mistake_names_file_line_and_stage(self, plan: Plan, step: Step, words: str) -> None:
        with pytest.raises(ManifestError, match=words) as caught:
            plan({"postprocess": (step,)})
        assert "m.yaml:31: postprocess[0]: " in caught.value.message

    def test_inline_python_is_told_its_line(self, plan: Plan) -> None:
        made = plan({"preprocess": (Step("python", {"source": "def preprocess(): ..."}, 40),)})
        parameters = made.preprocess[0].parameters
        assert (parameters["source"], parameters["line"]) == ("def preprocess(): ...", 40)


class TestAccuracy:
    """A figure of accuracy must mean something."""

    @pytest.mark.parametrize("mode", ["accuracy", "both"])
    @pytest.mark.parametrize(
        ("fields", "words"), [({"weights": "random"}, "random weights"), ({"metric": None}, "names no metric")]
    )
    def test_not_to_be_had(self, plan: Plan, mode: str, fields: dict[str, Any], words: str) -> None:
        with pytest.raises(UserError, match=words):
            plan(fields, mode=mode)
        assert plan(fields, mode="performance").test.mode == "performance"

    def test_without_a_metric_there_is_none_in_the_plan(self, plan: Plan) -> None:
        assert plan({"metric": None}).metric is None

    def test_a_metric_of_the_manifests_own_says_what_a_plugin_would(self, plan: Plan) -> None:
        python, response = Step("python", {"source": "def score(): ..."}, 5), ResponseSpec("int8", (None,))
        wish = MetricWish("python", {"k": 1}, 2.0, python, response, "s", higher_is_better=False)
        options = {"source": "def score(): ...", "line": 5, "unit": "s", "options": {"k": 1}}
        assert plan({"metric": wish}).metric == PlannedMetric(
            "python", "builtin-inline", options, 2.0, response, higher_is_better=False
        )

    def test_a_metrics_options_decide_its_response(self, plan: Plan) -> None:
        made = plan({"metric": MetricWish("map", {"columns": 5})}).metric
        assert made is not None
        assert made.response.shape == (None, 5)


class TestServersLimit:
    """Command line, then user.conf, then manifest, then mlperf.conf."""

    MLPERF: Mapping[str, Any] = {"mlperf": MlperfFacts("resnet50", 20.0, 64)}

    def conf(self, folder: Path, text: str) -> Path:
        path = folder / "user.conf"
        path.write_text(text, "utf-8")
        return path

    def test_the_order(self, plan: Plan, tmp_path: Path) -> None:
        conf = self.conf(tmp_path, "resnet50.Server.target_latency = 30\n")
        server: dict[str, Any] = {"scenario": "Server"}
        assert plan(**server).test.target_latency_ns is None
        assert plan(self.MLPERF, **server).test.target_latency_ns == 20_000_000
        assert plan(self.MLPERF, user_conf=conf, **server).test.target_latency_ns is None, (
            "LoadGen has it from the file"
        )
        assert plan(self.MLPERF, user_conf=conf, target_latency_ms=0.5, **server).test.target_latency_ns == 500_000

    def test_a_conf_for_another_model_or_scenario_takes_nothing_away(self, plan: Plan, tmp_path: Path) -> None:
        conf = self.conf(tmp_path, "bert.Server.target_latency = 30\n*.Offline.target_qps = 7\n")
        made = plan(self.MLPERF, user_conf=conf, scenario="Server").test
        assert (made.target_latency_ns, made.user_conf) == (20_000_000, {})

    def test_only_server_has_one(self, plan: Plan) -> None:
        assert plan(self.MLPERF, scenario="Offline", target_latency_ms=5.0).test.target_latency_ns is None

    def test_the_conf_stands_in_the_plan_and_changes_its_hash(self, plan: Plan, tmp_path: Path) -> None:
        conf = self.conf(tmp_path, "*.Offline.target_qps = 7\n")
        made = plan(user_conf=conf, scenario="Offline")
        assert made.test.user_conf == {"target_qps": 7.0}
        assert made.host.user_conf == str(conf)
        assert made.sha256 != plan(scenario="Offline").sha256


def test_an_audit_conf_stands_in_the_plan_by_its_bytes(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "audit.config"
    path.write_bytes(b"*.*.mode = 2\n")
    assert plan(audit_conf=path).test.audit_conf_sha256 == hashlib.sha256(b"*.*.mode = 2\n").hexdigest()
    with pytest.raises(UserError, match="cannot be read"):
        plan(audit_conf=tmp_path / "missing")


@pytest.mark.parametrize(("choice", "words"), [({"duration_s": 599.0}, "--duration 599"), ({"seed": 1}, "--seed")])
def test_mlperfs_rules_leave_some_things_to_nobody(plan: Plan, choice: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        plan(rules="mlperf", **choice)
    assert "--rules quick" in caught.value.remedy
    assert plan(rules="quick", **choice).test.rules == "quick"
    assert plan(rules="mlperf", duration_s=600.0).test.duration_s == 600.0


class TestCores:
    """Instances and threads."""

    @pytest.mark.parametrize("scenario", ["Offline", "Server", "MultiStream"])
    def test_busy_scenarios_take_one_single_threaded_predictor_per_core(self, plan: Plan, scenario: str) -> None:
        host = plan(scenario=scenario).host
        assert (host.cores, host.instances, host.threads) == (CORES, 4, 1)

    def test_single_stream_takes_one_with_all_cores(self, plan: Plan) -> None:
        host = plan().host
        assert (host.instances, host.threads) == (1, 4)

    def test_an_accelerator_takes_one(self, plan: Plan) -> None:
        assert plan(scenario="Offline", device="cuda:0").host.instances == 1

    def test_what_a_manifest_suggests_for_many_is_not_for_single_stream(self, plan: Plan) -> None:
        fields = {"bench": BenchDefaults(instances=2)}
        assert (plan(fields).host.instances, plan(fields).host.threads) == (1, 4)
        assert plan(fields, scenario="Offline").host.instances == 2

    def test_the_user_wins_over_the_manifest(self, plan: Plan) -> None:
        fields = {"bench": BenchDefaults(batch_size=16, max_wait_us=50, instances=2, threads=2)}
        made = plan(fields, scenario="Server", instances=3, threads=1, batch_size=4, max_wait_us=0)
        assert (made.host.instances, made.host.threads) == (3, 1)
        assert (made.batching.batch_size, made.batching.max_wait_us) == (4, 0)
        assert (made.framework.instances, made.framework.threads) == (3, 1)

    def test_single_stream_with_instances_is_refused(self, plan: Plan) -> None:
        with pytest.raises(UserError, match="--instances 2"):
            plan(instances=2)
        assert plan(instances=1).host.instances == 1

    def test_what_the_host_decides_is_not_in_the_hash(self, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
        here = plan(scenario="Offline")
        monkeypatch.setattr(planning, "usable_cores", lambda: (0,))
        there = plan(scenario="Offline")
        assert here.host != there.host
        assert here.sha256 == there.sha256
        assert here.sha256 != plan(scenario="Offline", instances=4).sha256

    @pytest.mark.parametrize(
        ("cores", "instances", "threads", "one", "shared"),
        [
            (8, 0, 0, False, (8, 1)), (8, 0, 0, True, (1, 8)), (8, 0, 4, False, (2, 4)), (8, 3, 0, False, (3, 2)),
            (8, 2, 2, False, (2, 2)), (2, 0, 4, False, (1, 4)), (2, 8, 0, False, (8, 1)), (1, 0, 0, False, (1, 1)),
        ],
    )  # fmt: skip
    def test_sharing(self, cores: int, instances: int, threads: int, one: bool, shared: tuple[int, int]) -> None:
        assert share_cores(cores, instances, threads, one) == shared


@pytest.mark.parametrize("device", ["cpu", "cuda:0", "mps:12"])
def test_what_may_be_a_device(device: str) -> None:
    check_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:x", "cuda:", "cpu:", "CPU", "", "cuda:0\n"])
def test_what_is_no_device(device: str) -> None:
    with pytest.raises(UserError, match="is no device"):
        check_device(device)


def test_a_file_that_a_step_needs_is_looked_for(plan: Plan, catalog: Catalog) -> None:
    sources.mlh_register_sources(SourceRegistrar(catalog, "builtin-sources"))
    vocab = Option("vocab", "file", "Words.", required=True)
    StepRegistrar(catalog, "mlh-text").step("text.split", make, parameters=(vocab,))
    with pytest.raises(ManifestError, match=r"m\.yaml:9: preprocess\[0\]: there is no file words\.txt"):
        plan({"preprocess": (Step("text.split", {"vocab": "words.txt"}, 9),)})
