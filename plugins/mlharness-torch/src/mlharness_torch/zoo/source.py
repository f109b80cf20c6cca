"""The sources ``torchvision://`` and ``timm://``. Locating imports nothing heavy; fetching runs in the runner."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from mlharness.errors import UserError
from mlharness.made import made_before, make_once
from mlharness.manifest.files import verify
from mlharness.paths import cache_dir
from mlharness.providers import SourceProvider
from mlharness_torch.zoo.uri import FORMATS, ZooModel, parse


def make_source(package: str) -> SourceProvider:
    """The source of one zoo; its scheme is the package's name."""
    return SourceProvider(package, locate, fetch, framework="torch", formats=FORMATS)


def locate(uri: str, sha256: str | None) -> Path | None:
    """The file of a zoo model when it was built before by the version that is installed here.

    Raises:
        UserError: the URI names no model, or the file has another checksum.
    """
    model = parse(uri)
    version = installed_version(model.zoo)
    if version is None:
        return None  # another environment may have it
    return made_before(cached_path(model, version), uri, sha256)


def fetch(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    """Build the model, or bring its trained weights, and write its file; runs that ask for one at once build it once.

    Raises:
        UserError: the zoo's package is missing, it has no such model or weights, these cannot be downloaded, or the
            file has another checksum.
    """
    model = parse(uri)
    version = installed_version(model.zoo)
    if version is None:
        raise UserError(f"{uri} needs the package {model.zoo}", f"Run: pip install {model.zoo}")
    path = cached_path(model, version)
    make_file(model, path, version, advance)
    return verify(path, sha256, uri)


def make_file(model: ZooModel, path: Path, version: str, advance: Callable[[int, int], None]) -> None:
    """Write the file unless it is there; the ONNX file is made from the PyTorch one, and has its weights."""
    weights = path.parent / f"{model.name}.safetensors"

    def make_weights(target: Path) -> None:
        from mlharness_torch.zoo.build import write_weights

        write_weights(model, target, version, advance)

    def make_onnx(target: Path) -> None:
        from mlharness_torch.zoo.onnx_file import write_onnx

        write_onnx(weights, target)

    make_once(weights, make_weights)
    if path != weights:
        make_once(path, make_onnx)


def cached_path(model: ZooModel, version: str) -> Path:
    """Where the file of a model is kept."""
    return cache_dir() / "zoo" / model.zoo / model.key(version) / model.file_name


@functools.cache  # it is read from a file, for every model of a listing
def installed_version(package: str) -> str | None:
    """The version of an installed package, which is not imported; None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
