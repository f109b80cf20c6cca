"""Zoo models: what a URI means, one build for all, the same weights in PyTorch and ONNX, trained ones, and errors."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torchvision
from conftest import SMALL_TIMM, SMALL_ZOO, Load, fetched
from mlharness_torch.plugin import complexity
from mlharness_torch.weights import read_metadata, read_safetensors
from mlharness_torch.zoo import build, source
from mlharness_torch.zoo.description import Description, read_description
from mlharness_torch.zoo.random_weights import scale_statistics
from mlharness_torch.zoo.uri import parse
from safetensors.torch import save_file

from mlharness.errors import UserError
from mlharness.plugins import build_manager
from mlharness.providers import TensorSpec

SMALL = TensorSpec("images", "float32", (None, 3, 64, 64))


@pytest.fixture(autouse=True)
def _cache(cache: Path) -> None: ...


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one test's own."""
    monkeypatch.setenv("MLH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestUris:
    def test_one_network_has_one_spelling_and_one_folder(self) -> None:
        plain = parse("torchvision://resnet50?weights=none")
        for same in ("seed=0&weights=none", "weights=None", "weights=none&format=onnx"):
            other = parse(f"torchvision://resnet50?{same}")
            assert (other.canonical, other.key("1")) == (plain.canonical, plain.key("1"))
        others = ["resnet50?weights=none&seed=1", "resnet18?weights=none", "resnet50?weights=DEFAULT"]
        keys = {parse(f"torchvision://{other}").key("1") for other in others} | {plain.key("1"), plain.key("2")}
        assert len(keys) == 5

    @pytest.mark.parametrize(
        ("uri", "remedy"),
        [
            ("torchvision://resnet50?weigths=none", "Did you mean 'weights'?"),
            ("torchvision://resnet50?weights=none&format=onx", "Did you mean 'onnx'?"),
            ("torchvision://resnet50", "weights=none"),
            ("torchvision://?weights=none", "torchvision://resnet50"),
        ],
    )
    def test_what_is_wrong_has_a_remedy(self, uri: str, remedy: str) -> None:
        with pytest.raises(UserError) as caught:
            source.locate(uri, None)
        assert remedy in caught.value.remedy

    def test_both_sources_are_registered(self) -> None:
        for name in ("torchvision", "timm"):
            provider = build_manager().catalog.sources.find(name).provider
            assert (provider.framework, provider.formats) == ("torch", ("onnx",))


class TestRandomWeights:
    def test_they_depend_on_the_seed_alone(self, own_cache: Path) -> None:
        first = fetched(SMALL_TIMM)
        data = first.read_bytes()
        first.unlink()
        torch.manual_seed(99)
        before = torch.get_rng_state()
        assert fetched(SMALL_TIMM).read_bytes() == data
        assert torch.equal(before, torch.get_rng_state())
        assert fetched(f"{SMALL_TIMM}&seed=1").read_bytes() != data

    def test_signals_stay_in_range_in_a_deep_network(self) -> None:
        """Each branch doubles the signal's power, and there are fifty of them."""
        deep = torch.nn.Sequential(*(Branch() for _ in range(50))).eval()
        images = torch.randn(2, 4, 8, 8)
        with torch.no_grad():
            plain = deep(images).std().item()
            scale_statistics(deep, (4, 8, 8), 0, "deep")
            scaled = deep(images).std().item()
        assert plain > 1e6
        assert scaled < 100

    def test_statistics_are_powers_of_two(self) -> None:
        weights, _ = read_safetensors(fetched(SMALL_TIMM))
        variances = [tensor for name, tensor in weights.items() if name.endswith("running_var")]
        assert variances
        for tensor in variances:
            assert torch.equal(tensor.log2(), tensor.log2().round())


class Branch(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4)
        torch.nn.init.kaiming_normal_(self.conv.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = images + self.norm(self.conv(images))
        return found


class TestFiles:
    def test_a_file_says_what_it_is(self) -> None:
        version = torchvision.__version__.partition("+")[0]
        expected = Description("torchvision", version, "squeezenet1_1", {}, (3, 224, 224), f"{SMALL_ZOO}&seed=0")
        assert read_description(read_metadata(fetched(SMALL_ZOO))) == expected

    @pytest.mark.parametrize(
        ("uri", "size", "parameters"),
        [(SMALL_ZOO, 224, 1235496), (SMALL_TIMM, 160, 469688)],
        ids=["torchvision", "timm"],
    )
    def test_it_becomes_the_whole_model(self, load: Load, uri: str, size: int, parameters: int) -> None:
        loaded = load(fetched(uri))
        assert list(loaded.inputs) == [TensorSpec("images", "float32", (None, 3, size, size))]
        assert list(loaded.outputs) == [TensorSpec("logits", "float32", (None, 1000))]
        small = load(fetched(uri), [SMALL])
        batch = {"images": np.random.default_rng(1).standard_normal((2, 3, 64, 64)).astype(np.float32)}
        found = complexity(small, batch)
        assert found.parameters == sum(one.numel() for one in small.module.parameters())
        assert found.parameters == parameters
        assert found.multiply_adds

    def test_runs_at_once_build_it_once(self, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        built, write = [], build.write_weights

        def counted(*arguments: Any) -> None:
            built.append(arguments)
            write(*arguments)

        monkeypatch.setattr(build, "write_weights", counted)
        threads = [threading.Thread(target=fetched, args=(SMALL_TIMM,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(built) == 1
        located = source.locate(SMALL_TIMM, None)
        assert located is not None
        assert {path.name for path in located.parent.iterdir()} - {"lock"} == {"test_resnet.safetensors"}

    def test_a_failed_write_leaves_nothing(self, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(weights: Any, path: Path, metadata: Any) -> None:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(build, "save_file", fail)
        with pytest.raises(UserError, match="No space left") as caught:
            fetched(SMALL_TIMM)
        assert "MLH_CACHE_DIR" in caught.value.remedy
        assert not [path for path in own_cache.rglob("*safetensors*") if path.is_file()]

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("model", "resnet_18", "no image classifier 'resnet_18'"),
            ("arguments", {"weights": "DEFAULT"}, "weights='DEFAULT'"),
            ("arguments", {"image_size": True}, "image_size=True"),
            ("arguments", [], "is damaged"),
            ("input", "three", "is damaged"),
            ("input", [], "is damaged"),
            ("zoo", "os", "is damaged"),
            ("more", 1, "is damaged"),
        ],
    )
    def test_metadata_are_not_trusted(self, load: Load, tmp_path: Path, key: str, value: Any, said: str) -> None:
        weights, metadata = read_safetensors(fetched(SMALL_ZOO))
        described = {**json.loads(metadata["mlharness"]), key: value}
        save_file(weights, tmp_path / "net.safetensors", {"mlharness": json.dumps(described)})
        with pytest.raises(UserError, match=said):
            load(tmp_path / "net.safetensors")


class TestOnnx:
    @pytest.mark.parametrize("uri", [SMALL_ZOO, SMALL_TIMM], ids=["torchvision", "timm"])
    def test_it_has_the_very_same_weights(self, load: Load, uri: str) -> None:
        path = fetched(f"{uri}&format=onnx")
        session = onnxruntime.InferenceSession(str(path))
        assert ([one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]) == (
            ["images"], ["logits"],
        )  # fmt: skip
        loaded = load(fetched(uri))
        for count in (1, 3):
            shape = (count, *(size or 0 for size in loaded.inputs[0].shape[1:]))
            images = np.random.default_rng(count).standard_normal(shape).astype(np.float32)
            (expected,) = loaded.predict({"images": images})
            (found,) = session.run(["logits"], {"images": images})
            assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
        metadata = session.get_modelmeta().custom_metadata_map
        assert int(metadata["mlharness.parameters"]) == sum(one.numel() for one in loaded.module.parameters())

    def test_older_runtimes_can_read_it_and_no_paths_are_in_it(self) -> None:
        path = fetched(f"{SMALL_TIMM}&format=onnx")
        assert path.parent == fetched(SMALL_TIMM).parent
        model = onnx.load(str(path))
        assert (model.ir_version, model.opset_import[0].version) == (8, 18)
        assert b"site-packages" not in path.read_bytes()
        onnx.checker.check_model(model)

    def test_a_missing_exporter(self, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "onnxscript", None)
        with pytest.raises(UserError, match="needs the package onnxscript") as caught:
            fetched(f"{SMALL_TIMM}&format=onnx")
        assert "pip install onnxscript" in caught.value.remedy


class TestTrained:
    """download.pytorch.org is replaced by a file, or by an error."""

    URI = "torchvision://squeezenet1_1?weights=IMAGENET1K_V1"

    def test_weights_come_from_the_zoos_own_address(
        self, own_cache: Path, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Any] = []
        weights = torchvision.models.squeezenet1_1(weights=None).state_dict()

        def local(url: str, *arguments: Any, **options: Any) -> Any:
            asked.append((url, options["check_hash"]))
            return weights

        monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", local)
        path = fetched(self.URI)
        assert asked == [("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", True)]
        found = load(path, [SMALL]).module.state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (urllib.error.URLError("no route"), "cannot be had from download.pytorch.org: URLError: .*no route"),
            (TimeoutError("timed out"), "TimeoutError"),
            (RuntimeError('invalid hash value (expected "b8", got "00")'), "have another hash"),
        ],
    )
    def test_a_failed_download_says_what_and_from_where(
        self, own_cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
    ) -> None:
        def fail(*arguments: Any, **options: Any) -> Any:
            raise error

        monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fail)
        with pytest.raises(UserError, match=said) as caught:
            fetched(self.URI)
        assert "weights=none" in caught.value.remedy
        assert not list(own_cache.rglob("*.safetensors"))

    def test_progress_is_told(self, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
        told, seen = threading.Event(), []
        (tmp_path / "checkpoints").mkdir()

        def slow(*arguments: Any, **options: Any) -> Any:
            (tmp_path / "checkpoints" / "net.pth.1.partial").write_bytes(b"12345")
            assert told.wait(60)
            return torchvision.models.squeezenet1_1(weights=None).state_dict()

        def advance(done: int, total: int) -> None:
            seen.append((done, total))
            told.set()

        monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", slow)
        source.fetch(self.URI, None, advance)
        assert seen == [(5, 0)]


class TestErrors:
    @pytest.mark.parametrize(
        ("uri", "said", "remedy"),
        [
            ("torchvision://resnet5?weights=none", "no image classifier 'resnet5'", "Did you mean 'resnet50'?"),
            ("torchvision://fasterrcnn_resnet50_fpn?weights=none", "no image classifier", "Known: "),
            (
                "torchvision://resnet50?weights=IMAGENET1K_V3",
                "no weights 'IMAGENET1K_V3'",
                "Did you mean 'IMAGENET1K_V",
            ),
            ("timm://resnet_50?weights=none", "timm has no model 'resnet_50'", "resnet50"),
            ("timm://resnet50?weights=a1_in1", "no weights 'a1_in1'", "Did you mean 'a1_in1k'?"),
            ("timm://resnet50.a1_in1?weights=none", "no weights 'a1_in1'", "a1_in1k"),
            ("timm://resnet50.a1_in1k?weights=a1_in1k", "names weights twice", "DEFAULT"),
            ("timm://qqqqqqqqqqqqqqq?weights=none", "timm has no model", "list_models"),
        ],
    )
    def test_unknown_names(self, own_cache: Path, uri: str, said: str, remedy: str) -> None:
        with pytest.raises(UserError, match=said) as caught:
            fetched(uri)
        assert remedy in caught.value.remedy

    @pytest.mark.parametrize("package", ["torchvision", "timm"])
    def test_a_missing_package(self, load: Load, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        path = fetched(SMALL_ZOO if package == "torchvision" else SMALL_TIMM)
        monkeypatch.setattr(source, "installed_version", lambda name: None)
        monkeypatch.setitem(sys.modules, package, None)
        uri = f"{package}://resnet18?weights=none"
        assert source.locate(uri, None) is None
        for call in (lambda: fetched(uri), lambda: load(path)):
            with pytest.raises(UserError, match=f"the package {package}") as caught:
                call()
            assert f"pip install {package}" in caught.value.remedy

    def test_a_package_that_does_not_fit(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        import importlib

        path = fetched(SMALL_ZOO)

        def fail(name: str) -> Any:
            raise RuntimeError("operator torchvision::nms does not exist")

        monkeypatch.setattr(importlib, "import_module", fail)
        with pytest.raises(UserError, match="cannot be imported beside PyTorch") as caught:
            load(path)
        assert "pip install -U torchvision torch" in caught.value.remedy


def test_locating_imports_nothing_heavy(cache: Path) -> None:
    fetched(SMALL_ZOO)
    program = (
        "import sys; from mlharness.plugins import build_manager;"
        f"found = build_manager().catalog.sources.find('torchvision').provider.locate({SMALL_ZOO!r}, None);"
        "print(found is not None, sorted({'torch', 'torchvision', 'safetensors', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"
