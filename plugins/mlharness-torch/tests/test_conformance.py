"""The framework ``torch`` holds to the contract in every format, and both zoos hold to that of sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from conftest import IMAGES, SMALL_TIMM, SMALL_ZOO, X, export, fetched, script
from nets import Images, Linear
from safetensors.torch import save_file

from mlharness.providers import Model, TensorSpec
from mlharness.testing import FrameworkConformance, SourceConformance
from mlharness.testing.growth import PER_LOAD, Limits, require_no_growth


@pytest.fixture(autouse=True)
def _cache(cache: Path) -> None:
    torch.manual_seed(0)


class TestTorchScript(FrameworkConformance):
    framework = "torch"

    def make_model(self, folder: Path) -> Model:
        return Model("net", (script(seeded(Linear()), folder / "net.pt"),), (X,))


class TestExported(FrameworkConformance):
    framework = "torch"

    def make_model(self, folder: Path) -> Model:
        return Model("net", (export(seeded(Linear()), folder / "net.pt2", torch.randn(2, 6)),))

    def test_close_gives_back_what_load_took(self, tmp_path: Path) -> None:
        """Save for the Python text that PyTorch generates for a program, and keeps."""
        model = self.make_model(tmp_path)
        limits = Limits(1 << 16, PER_LOAD.process_bytes)
        require_no_growth("load and close", "no more is kept", "", lambda: self.load_and_close(model), 10, limits)


class TestStateDict(FrameworkConformance):
    """With a model from code, and images that lie channels last."""

    framework = "torch"
    imports = ("safetensors", "torchvision", "timm")
    options = {"channels_last": True}  # noqa: RUF012  # read only

    def make_model(self, folder: Path) -> Model:
        save_file(seeded(Images()).state_dict(), folder / "net.safetensors")
        code = {"torch": {"model": "nets:Images"}}
        return Model("net", (folder / "net.safetensors",), (IMAGES,), (), code)


class TestCheckpoint(FrameworkConformance):
    """A file of torch.save, in bfloat16, whose products differ by more with the batch."""

    framework = "torch"
    options = {"precision": "bfloat16"}  # noqa: RUF012  # read only
    tolerance = 2e-2

    def make_model(self, folder: Path) -> Model:
        torch.save(seeded(Linear()).state_dict(), folder / "net.pth")
        return Model("net", (folder / "net.pth",), (X,), (), {"torch": {"model": "nets:Linear"}})


class TestZoo(FrameworkConformance):
    framework = "torch"
    imports = ("safetensors", "torchvision", "timm")
    most_samples = 3

    def make_model(self, folder: Path) -> Model:
        """Smaller images than the model is meant for, to save time."""
        return Model("net", (fetched(SMALL_ZOO),), (TensorSpec("images", "float32", (None, 3, 32, 32)),))


class TestTorchVisionSource(SourceConformance):
    scheme = "torchvision"
    bad_uris = (
        "torchvision://",
        "torchvision://resnet18",
        "torchvision://../x?weights=none",
        "torchvision://a/b?weights=none",
        "torchvision://resnet18?weights=none&sed=1",
        "torchvision://resnet18?weights=none&seed=-1",
        "torchvision://resnet18?weights=none&seed=",
        "torchvision://resnet18?weights=none&format=tflite",
        "torchvision://resnet18?weights=none&weights=none",
        "torchvision://resnet18?weights=DEFAULT&seed=1",
    )

    def make_uri(self, folder: Path) -> tuple[str, str]:
        return SMALL_ZOO, hashlib.sha256(fetched(SMALL_ZOO).read_bytes()).hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "torchvision://resnet18?weights=none&seed=77", None


class TestTimmSource(SourceConformance):
    scheme = "timm"
    bad_uris = ("timm://", "timm://resnet18", "timm://hf-hub:someone/net?weights=none", "timm://a b?weights=none")

    def make_uri(self, folder: Path) -> tuple[str, str]:
        return SMALL_TIMM, hashlib.sha256(fetched(SMALL_TIMM).read_bytes()).hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return "timm://test_resnet?weights=none&seed=77", None


def seeded(module: torch.nn.Module) -> torch.nn.Module:
    """The same weights in every call, and no zeros that hide something."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 0.5)
    return module
