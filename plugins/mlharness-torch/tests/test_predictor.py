"""Numbers, tensors, options and devices of a loaded model."""

from __future__ import annotations

import gc
import shutil
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import IMAGES, Load, X, export, script
from mlharness_torch import device, plugin
from mlharness_torch.loading import match_parameters
from nets import Images, Linear, Two

from mlharness.errors import UserError
from mlharness.providers import Model, TensorSpec

BATCH = np.random.default_rng(5).standard_normal((4, 6)).astype(np.float32)
PICTURES = np.random.default_rng(6).standard_normal((4, 3, 8, 8)).astype(np.float32)


def code(name: str, **settings: Any) -> dict[str, Any]:
    return {"torch": {"model": f"nets:{name}", **settings}}


@pytest.fixture
def linear(tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    module = Linear()
    torch.save(module.state_dict(), tmp_path / "net.pt")
    return tmp_path / "net.pt", module


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    module = Images().eval()
    torch.save(module.state_dict(), tmp_path / "images.pt")
    return tmp_path / "images.pt", module


def returning(load: Load, folder: Path, form: str, outputs: tuple[TensorSpec, ...] = ()) -> Any:
    torch.save({}, folder / "empty.pt")
    return load(folder / "empty.pt", [X], outputs, code("Returns", arguments=[form]))


class TestNumbers:
    def test_every_format_gives_pytorchs(
        self, load: Load, linear: tuple[Path, torch.nn.Module], tmp_path: Path
    ) -> None:
        path, module = linear
        expected = module(torch.from_numpy(BATCH)).detach().numpy()
        scripted, program = script(module, tmp_path / "s.pt"), export(module, tmp_path / "p.pt2", torch.randn(2, 6))
        for loaded in (load(path, [X], attributes=code("Linear")), load(scripted, [X]), load(program)):
            np.testing.assert_array_equal(loaded.predict({"x": BATCH})[0], expected)

    def test_no_copies_are_made(self, load: Load, tmp_path: Path) -> None:
        (same, more) = returning(load, tmp_path, "tuple").predict({"x": BATCH})
        assert np.shares_memory(same, BATCH)
        assert not np.shares_memory(more, BATCH)

    def test_dropout_is_off(self, load: Load, images: tuple[Path, torch.nn.Module]) -> None:
        loaded = load(images[0], [IMAGES], attributes=code("Images"))
        found = loaded.predict({"images": PICTURES})[0]
        np.testing.assert_array_equal(found, images[1](torch.from_numpy(PICTURES)).detach().numpy())

    @pytest.mark.parametrize("precision", ["bfloat16", "float16"])
    def test_a_reduced_precision_comes_back_as_float32(
        self, load: Load, images: tuple[Path, torch.nn.Module], precision: str
    ) -> None:
        loaded = load(images[0], [IMAGES], attributes=code("Images"), precision=precision)
        found = loaded.predict({"images": PICTURES})[0]
        expected = images[1](torch.from_numpy(PICTURES)).detach().numpy()
        assert found.dtype == np.float32
        assert loaded.outputs[0].dtype == "float32"
        assert not np.array_equal(found, expected)
        np.testing.assert_allclose(found, expected, atol=0.02)

    def test_channels_last_is_only_a_layout(self, load: Load, images: tuple[Path, torch.nn.Module]) -> None:
        loaded = load(images[0], [IMAGES], attributes=code("Images"), channels_last=True)
        assert loaded.module.conv.weight.is_contiguous(memory_format=torch.channels_last)
        expected = images[1](torch.from_numpy(PICTURES)).detach().numpy()
        np.testing.assert_allclose(loaded.predict({"images": PICTURES})[0], expected, rtol=1e-5, atol=1e-6)


class TestTensors:
    @pytest.mark.parametrize(
        ("form", "names"),
        [
            ("tuple", ["output_0", "output_1"]),
            ("dict", ["b", "a.output_0"]),
            ("dataclass", ["mean", "rest.output_0"]),
            ("namedtuple", ["low", "high"]),
        ],
    )
    def test_outputs_are_flattened_in_order(self, load: Load, tmp_path: Path, form: str, names: list[str]) -> None:
        loaded = returning(load, tmp_path, form)
        assert [spec.name for spec in loaded.outputs] == names
        first, second = loaded.predict({"x": BATCH})
        np.testing.assert_array_equal(first, BATCH)
        np.testing.assert_array_equal(second, BATCH + 1)

    @pytest.mark.parametrize(
        ("form", "spec"),
        [
            ("bfloat16", TensorSpec("output", "float32", (None, 6))),
            ("float16", TensorSpec("output", "float16", (None, 6))),
            ("integer", TensorSpec("output", "int64", (None,))),
        ],
    )
    def test_dtypes(self, load: Load, tmp_path: Path, form: str, spec: TensorSpec) -> None:
        loaded = returning(load, tmp_path, form)
        assert list(loaded.outputs) == [spec]
        assert loaded.predict({"x": BATCH})[0].dtype == spec.dtype

    def test_a_program_says_what_it_takes(self, load: Load, tmp_path: Path) -> None:
        path = export(Two(), tmp_path / "two.pt2", torch.ones(2, 3), torch.ones(2, 3))
        loaded = load(path, outputs=[TensorSpec("difference", "float32", (None, 3))])
        assert list(loaded.inputs) == [TensorSpec(name, "float32", (None, 3)) for name in ("left", "right")]
        assert [spec.name for spec in loaded.outputs] == ["difference"]
        assert load(path).outputs[0].name == "output"

    @pytest.mark.parametrize("order", [["left", "right"], ["right", "left"]])
    def test_inputs_go_where_their_names_say(self, load: Load, tmp_path: Path, order: list[str]) -> None:
        loaded = load(script(Two(), tmp_path / "two.pt"), [TensorSpec(name, "float32", (None, 1)) for name in order])
        batch = {"left": np.full((1, 1), 5, np.float32), "right": np.full((1, 1), 3, np.float32)}
        assert loaded.predict(batch)[0].item() == 2

    def test_names_that_the_model_does_not_know_are_taken_in_order(self) -> None:
        assert match_parameters(["a", "b"], ["x", "y"]) == (("a", "b"), ())
        assert match_parameters(["y"], ["x", "y"]) == ((), (("y", "y"),))

    @pytest.mark.parametrize(
        ("inputs", "outputs", "said"),
        [
            ([], [], "neither .* says what the inputs are"),
            ([TensorSpec("x", "float32", (None, 7))], [], "cannot be called with its declared inputs"),
            ([TensorSpec("x", "float64", (None, 6))], [], "cannot be called with its declared inputs"),
            ([X, TensorSpec("y", "float32", (None, 6))], [], "cannot be called with its declared inputs"),
            ([TensorSpec("x", "object", (None, 6))], [], "no tensors of object"),
            ([X], [TensorSpec("y", "float32", (None, 4))], "is float32 .*, and is declared as"),
            ([X], [TensorSpec("y", "float16", (None, 3))], "is float32 .*, and is declared as"),
            ([X], [TensorSpec(name, "float32", (None, 3)) for name in "yz"], "returns 1 outputs, and 2"),
            ([TensorSpec("x", "float32", (None, None))], [], "no outputs are declared"),
        ],
    )
    def test_what_does_not_fit_is_a_user_error(
        self, load: Load, linear: tuple[Path, Any], inputs: Any, outputs: Any, said: str
    ) -> None:
        with pytest.raises(UserError, match=said) as caught:
            load(linear[0], inputs, outputs, code("Linear"))
        assert caught.value.remedy

    @pytest.mark.parametrize("form", ["text", "nothing"])
    def test_a_model_that_returns_no_tensor(self, load: Load, tmp_path: Path, form: str) -> None:
        with pytest.raises(UserError, match="returns"):
            returning(load, tmp_path, form, (TensorSpec("y", "float32", (None, 6)),))


class TestOptions:
    def test_each_thread_has_its_own_number_of_threads(self, load: Load, linear: tuple[Path, Any]) -> None:
        """PyTorch would have a new thread take what was set last, by whichever predictor."""
        both, found = threading.Barrier(2, timeout=60), {}

        def work(count: int) -> None:
            loaded = load(linear[0], [X], attributes=code("Linear"), intra_op_num_threads=count)
            both.wait()
            loaded.predict({"x": BATCH})
            found[count] = torch.get_num_threads()

        threads = [threading.Thread(target=work, args=(count,)) for count in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {1: 1, 2: 2}

    def test_the_pool_of_a_process_is_made_once(
        self, load: Load, linear: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = torch.get_num_interop_threads()
        load(linear[0], [X], attributes=code("Linear"), inter_op_num_threads=now)

        def refuse(count: int) -> None:
            raise RuntimeError("too late")

        monkeypatch.setattr(torch, "set_num_interop_threads", refuse)
        with pytest.raises(UserError, match=f"this process has begun with {now}"):
            load(linear[0], [X], attributes=code("Linear"), inter_op_num_threads=now + 1)

    @pytest.mark.parametrize("name", ["intra_op_num_threads", "inter_op_num_threads"])
    def test_no_threads_are_too_few(self, load: Load, linear: tuple[Path, Any], name: str) -> None:
        with pytest.raises(UserError, match=f"{name} is 0"):
            load(linear[0], [X], attributes=code("Linear"), **{name: 0})

    @pytest.mark.parametrize("options", [{"precision": "int8"}, {"compile": True}, {"channel_last": True}])
    def test_what_is_not_declared_is_refused(self, load: Load, linear: tuple[Path, Any], options: Any) -> None:
        with pytest.raises(UserError):
            load(linear[0], [X], attributes=code("Linear"), **options)

    def test_channels_last_needs_channels(self, load: Load, linear: tuple[Path, Any]) -> None:
        with pytest.raises(UserError, match="no input has four axes"):
            load(linear[0], [X], attributes=code("Linear"), channels_last=True)

    def test_a_torchscript_is_not_compiled_again(self, load: Load, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="compiled already"):
            load(script(Linear(), tmp_path / "s.pt"), [X], compile="default")

    def test_compiling_needs_a_compiler(
        self, load: Load, linear: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "which", lambda name: None)
        with pytest.raises(UserError, match=r"needs a C\+\+ compiler"):
            load(linear[0], [X], attributes=code("Linear"), compile="default")

    def test_the_mode_reaches_the_compiler(
        self, load: Load, linear: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the minute that it takes; batches of any size are one compilation."""
        seen: list[dict[str, Any]] = []

        def compile_it(module: torch.nn.Module, **options: Any) -> torch.nn.Module:
            seen.append(options)
            return module

        monkeypatch.setattr(torch, "compile", compile_it)
        monkeypatch.setattr(shutil, "which", lambda name: name)
        for mode in ("default", "max-autotune"):
            load(linear[0], [X], attributes=code("Linear"), compile=mode).predict({"x": BATCH})
        assert seen == [{"mode": None, "dynamic": True}, {"mode": "max-autotune", "dynamic": True}]


class TestDevices:
    @pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda", "cuda:0", "CPU", ""])
    def test_a_device_that_is_not_here(
        self, load: Load, linear: tuple[Path, Any], name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(UserError, match=f"has no device {name!r} here") as caught:
            load(linear[0], [X], attributes=code("Linear"), device=name)
        assert caught.value.remedy.startswith("Devices here: cpu.")
        assert ("CUDA" in caught.value.remedy) == name.startswith("cuda")

    def test_gpus_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert list(plugin.devices()) == ["cpu", "cuda:0", "cuda:1"]
        assert device.find_device("cuda") == torch.device("cuda:0")
        assert device.find_device("cuda:1") == torch.device("cuda:1")
        with pytest.raises(UserError, match="cuda:2"):
            device.find_device("cuda:2")


class TestComplexity:
    def test_parameters_are_counted_and_buffers_are_not(self, load: Load, tmp_path: Path) -> None:
        module = Images().eval()
        torch.save(module.state_dict(), tmp_path / "net.pt")
        every = [
            load(tmp_path / "net.pt", [IMAGES], attributes=code("Images")),
            load(script(module, tmp_path / "script.pt"), [IMAGES]),
            load(script(module, tmp_path / "trace.pt", torch.randn(2, 3, 8, 8)), [IMAGES]),
            load(export(module, tmp_path / "net.pt2", torch.randn(2, 3, 8, 8))),
        ]
        parameters, products = 4 * 3 * 9 + 2 * 4 + 4 * 5 + 5, 4 * 3 * 9 * 36 + 4 * 5
        for loaded in every:
            for count in (1, 3):
                found = plugin.complexity(loaded, {"images": PICTURES[:count]})
                assert (found.parameters, found.multiply_adds) == (parameters, products)

    def test_a_model_without_products(self, load: Load, tmp_path: Path) -> None:
        found = plugin.complexity(returning(load, tmp_path, "tuple"), {"x": BATCH})
        assert (found.parameters, found.multiply_adds) == (0, None)


def test_closing_frees_the_model_and_ends_the_predictor(load: Load, linear: tuple[Path, Any]) -> None:
    loaded = load(linear[0], [X], attributes=code("Linear"))
    module = weakref.ref(loaded.module)
    assert list(loaded.close()) == []
    gc.collect()
    assert module() is None
    with pytest.raises(AttributeError):
        loaded.predict({"x": BATCH})


def test_the_plugin_is_described() -> None:
    assert plugin.version() == torch.__version__.partition("+")[0]
    unset = dict.fromkeys(("intra_op_num_threads", "inter_op_num_threads", "max_cpu_isa"))
    with pytest.raises(UserError, match="names no model file") as caught:
        plugin.load(Model("net", ()), "cpu", unset)
    assert caught.value.remedy


class TestOpenTensors:
    """Inputs by their places, and with dtypes and shapes that nobody says, as published manifests declare them."""

    def test_a_place_is_the_parameter_there(self, load: Load, tmp_path: Path) -> None:
        path = script(Two(), tmp_path / "two.pt")
        loaded = load(path, [TensorSpec("1", "float32", (None, 6)), TensorSpec("0", "float32", (None, 6))])
        assert [spec.name for spec in loaded.inputs] == ["right", "left"]
        np.testing.assert_array_equal(loaded.predict({"left": BATCH, "right": 2 * BATCH})[0], -BATCH)

    def test_outputs_are_known_once_the_model_is_called(self, load: Load, tmp_path: Path) -> None:
        loaded = load(script(Linear(), tmp_path / "s.pt"), [TensorSpec("0", "", ())])
        assert (loaded.inputs, loaded.outputs) == ((TensorSpec("x", "", ()),), ())
        [output] = loaded.predict({"x": BATCH})
        assert output.shape == (4, 3)
        assert loaded.outputs == (TensorSpec("output", "float32", ()),)

    def test_a_script_without_parameters_has_none(self, load: Load, tmp_path: Path) -> None:
        loaded = load(script(Two(), tmp_path / "two.pt"), [TensorSpec("0", "", ()), TensorSpec("1", "", ())])
        found = plugin.complexity(loaded, {"left": BATCH, "right": BATCH})
        assert (found.parameters, found.multiply_adds) == (0, None)

    def test_declared_outputs_take_from_the_model_what_they_leave_open(self, load: Load, tmp_path: Path) -> None:
        loaded = load(script(Linear(), tmp_path / "s.pt"), [X], [TensorSpec("logits", "", ())])
        assert loaded.outputs == (TensorSpec("logits", "float32", (None, 3)),)
