"""Each hook does what its specification says; specification, reference page and the tests here name the same hooks."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlharness import hookimpl, hookspecs
from mlharness.observers import Observers
from mlharness.payloads import PhaseStarted, Progress, RunFinished, RunStarted
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import Model, Option, ResponseSpec, Score, SourceProvider, TensorSpec, TraceRequest
from mlharness.registrars import Registered, Shelf
from mlharness.testing import run_with_loadgen

REFERENCE = Path(__file__).parents[2] / "docs" / "plugins.md"
_HEADING = re.compile(r"^### `(mlh_\w+\(.*)`$", re.MULTILINE)
NAME = "mlh_hooks_under_test"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An empty plugin, to which a test adds a hook."""
    module = ModuleType(NAME)
    monkeypatch.setitem(sys.modules, NAME, module)
    monkeypatch.delenv("MLH_BLOCK_PLUGINS", raising=False)
    return module


def implement(plugin: ModuleType, function: Callable[..., None]) -> Plugins:
    """The plugins when this one implements the hook of the function's name, and no other is there."""
    setattr(plugin, function.__name__, hookimpl(function))
    plugins = build_manager(entry_points=[metadata.EntryPoint("tested", NAME, "mlharness")])
    assert [found.error for found in plugins.found] == [""]
    return plugins


def only(shelf: Shelf[Any]) -> Registered[Any]:
    """The one thing on a shelf."""
    (entry,) = shelf
    assert entry.plugin == "tested"
    return entry


def test_register_frameworks(plugin: ModuleType) -> None:
    def load(model: Model, device: str, options: Any, trace: Any = None) -> Any:
        return TensorSpec

    def mlh_register_frameworks(registrar: Any) -> None:
        threads = Option("width", "integer", "Threads.")
        registrar.framework(
            "mine", load=load, version=lambda: "2", options=(threads,), aliases=("Mine!",), threads="width"
        )

    plugins = implement(plugin, mlh_register_frameworks)
    provider = plugins.catalog.frameworks.find("mine!").provider
    assert (provider.load, provider.version(), provider.devices()) == (load, "2", ("cpu",))
    assert only(plugins.catalog.frameworks).provider.threads == "width"


def test_register_datasets(plugin: ModuleType) -> None:
    def mlh_register_datasets(registrar: Any) -> None:
        registrar.dataset("mine", open=print, options=(Option("file", "string", "A file.", required=True),))

    provider = only(implement(plugin, mlh_register_datasets).catalog.datasets).provider
    assert provider.open is print
    assert provider.options[0].required


def test_register_steps(plugin: ModuleType) -> None:
    def make() -> Any:
        """Batch step: nothing."""

    def mlh_register_steps(registrar: Any) -> None:
        registrar.step("mine.step", make, batch=True, serial=True)

    provider = only(implement(plugin, mlh_register_steps).catalog.steps).provider
    assert (provider.doc, provider.batch, provider.serial) == ("Batch step: nothing.", True, True)


def test_register_metrics(plugin: ModuleType) -> None:
    def score(responses: Any, label: Any, options: Any) -> Score:
        """Always one."""
        return Score(1.0, "", 1, None)

    def mlh_register_metrics(registrar: Any) -> None:
        response = ResponseSpec("float32", (1,))
        registrar.metric("mine", score=score, response=lambda options: response, higher_is_better=False)

    provider = only(implement(plugin, mlh_register_metrics).catalog.metrics).provider
    assert provider.score({}, lambda index: None, {}).value == 1.0
    assert provider.response({}).shape == (1,)
    assert (provider.doc, provider.higher_is_better) == ("Always one.", False)


def test_register_sources(plugin: ModuleType) -> None:
    def mlh_register_sources(registrar: Any) -> None:
        registrar.source(SourceProvider("mine", lambda uri, sha256: Path(uri), digest_required=True))

    found = only(implement(plugin, mlh_register_sources).catalog.sources)
    assert (found.name, found.provider.digest_required) == ("mine", True)


def test_register_tracers(plugin: ModuleType) -> None:
    def mlh_register_tracers(registrar: Any) -> None:
        registrar.tracer(
            "mine", level="library", open=lambda request: request, doc="Reads nothing.", framework="onnxruntime"
        )

    provider = only(implement(plugin, mlh_register_tracers).catalog.tracers).provider
    request = TraceRequest(("library",), Path(), "onnxruntime", "cpu", {}, 1, 1)
    assert provider.open(request) is request
    assert (provider.level, provider.framework, provider.unavailable(request)) == ("library", "onnxruntime", "")


def test_register_manifests(plugin: ModuleType, tmp_path: Path) -> None:
    def mlh_register_manifests(registrar: Any) -> None:
        registrar.folder(tmp_path)

    assert only(implement(plugin, mlh_register_manifests).catalog.manifests).provider.path == tmp_path


def test_on_run_started(told: list[Any]) -> None:
    started = [payload for payload in told if isinstance(payload, RunStarted)]
    assert started == [told[0]]
    assert started[0].plan["model"]["name"] == "null"
    assert started[0].directory.name == started[0].run_id


def test_on_phase_started(told: list[Any]) -> None:
    phases = [payload.phase for payload in told if isinstance(payload, PhaseStarted) and payload.phase != "floor"]
    assert phases == ["load", "warmup", "calibrate", "samples", "measure"]


def test_on_progress(told: list[Any], plugin: ModuleType) -> None:
    """A short run may end before its first progress, so the hook is also called as the supervisor calls it."""
    seen: list[Any] = []

    def mlh_on_progress(progress: Any) -> None:
        seen.append(progress)

    observers = Observers(implement(plugin, mlh_on_progress).manager)
    observers.watch("a-run").progress("measure", 3, None, 1.5)
    assert seen == [Progress("a-run", "measure", 3, None, 1.5)]
    counted = [payload.done for payload in told if isinstance(payload, Progress) and payload.phase == "measure"]
    assert counted == sorted(counted)


def test_on_run_finished(told: list[Any]) -> None:
    finished = [payload for payload in told if isinstance(payload, RunFinished)]
    assert finished == [told[-1]]
    assert finished[0].result["status"] == "valid"
    assert (finished[0].directory / "result.json").is_file()


HOOKS: dict[str, Callable[..., None]] = {
    "mlh_register_frameworks(registrar: FrameworkRegistrar) -> None": test_register_frameworks,
    "mlh_register_datasets(registrar: DataSetRegistrar) -> None": test_register_datasets,
    "mlh_register_steps(registrar: StepRegistrar) -> None": test_register_steps,
    "mlh_register_metrics(registrar: MetricRegistrar) -> None": test_register_metrics,
    "mlh_register_sources(registrar: SourceRegistrar) -> None": test_register_sources,
    "mlh_register_tracers(registrar: TracerRegistrar) -> None": test_register_tracers,
    "mlh_register_manifests(registrar: ManifestRegistrar) -> None": test_register_manifests,
    "mlh_on_run_started(run: RunStarted) -> None": test_on_run_started,
    "mlh_on_phase_started(phase: PhaseStarted) -> None": test_on_phase_started,
    "mlh_on_progress(progress: Progress) -> None": test_on_progress,
    "mlh_on_run_finished(finished: RunFinished) -> None": test_on_run_finished,
}
"""Every hook with its exact signature, in the order of ``hookspecs.py``, and the test that it does what it says."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What observers are told, in order, of one short run of the null model."""
    folder = tmp_path_factory.mktemp("observed")
    payloads: list[Any] = []
    plugins = build_manager()

    class Observer:
        @hookimpl
        def mlh_on_run_started(self, run: RunStarted) -> None:
            payloads.append(run)

        @hookimpl
        def mlh_on_phase_started(self, phase: PhaseStarted) -> None:
            payloads.append(phase)

        @hookimpl
        def mlh_on_progress(self, progress: Progress) -> None:
            payloads.append(progress)

        @hookimpl
        def mlh_on_run_finished(self, finished: RunFinished) -> None:
            payloads.append(finished)

    plugins.manager.register(Observer(), name="observer:test")
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"MLH_{kind}_DIR", str(folder / kind.lower()))
        run_with_loadgen("null", folder / "runs", plugins=plugins, duration_s=0.2)
    return payloads


def specified() -> list[str]:
    """Each hook as it stands in the source: ``name(arguments) -> type``."""
    tree = ast.parse(Path(hookspecs.__file__).read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or node)}" for node in functions]


def test_specification_reference_and_tests_agree() -> None:
    assert specified() == list(HOOKS), "hookspecs.py and the table of this module"
    assert _HEADING.findall(REFERENCE.read_text("utf-8")) == list(HOOKS), "docs/plugins.md: nox -s docs -- --write"


def test_every_hook_has_a_test_of_its_own() -> None:
    names = [f"test_{signature.partition('(')[0].removeprefix('mlh_')}" for signature in HOOKS]
    assert [test.__name__ for test in HOOKS.values()] == names


def test_every_hook_is_marked_and_documented() -> None:
    for signature in HOOKS:
        hook = getattr(hookspecs, signature.partition("(")[0])
        assert hook.mlharness_spec is not None
        assert hook.__doc__, signature
