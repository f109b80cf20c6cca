"""The Keras zoo as a source of files: a ``.keras`` file, or its export, made once and kept in the cache.

``locate`` runs in any process and imports no framework; ``fetch`` runs in a runner that has TensorFlow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mlharness.errors import UserError
from mlharness.made import made_before, make_once
from mlharness.manifest.files import verify
from mlharness.paths import cache_dir
from mlharness_tensorflow.zoo_uri import ZooModel, parse

_RECIPE = 2
"""Counts the changes of what this plugin builds from one URI, so that an older file is not taken for it."""


def locate(uri: str, sha256: str | None) -> Path | None:
    """The model's file when it has been made for the Keras that is installed here.

    Raises:
        UserError: a URI that makes no sense, or a file with another checksum.
    """
    path = cached_path(parse(uri))
    return None if path is None else made_before(path, uri, sha256)


def fetch(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    """Build the model, or bring its weights, and write its file into the cache.

    Raises:
        UserError: the zoo has no such model, its weights cannot be brought, the cache cannot be written, or the
            checksum differs.
    """
    model = parse(uri)
    path = cached_path(model)
    if path is None:
        raise UserError(f"{uri}: Keras is not installed here", "Run: pip install tensorflow-cpu")
    make_once(path, partial(_make, model))
    size = path.stat().st_size
    advance(size, size)
    return verify(path, sha256, uri)


def cached_path(model: ZooModel) -> Path | None:
    """Where the file of a model is kept; None without Keras, whose version decides what is built."""
    try:
        keras = version("keras")
    except PackageNotFoundError:
        return None
    key = hashlib.sha256(f"{model.uri} keras {keras} recipe {_RECIPE}".encode()).hexdigest()[:16]
    return cache_dir() / "zoo" / "keras" / key / f"{model.name}.{model.format}"


def _make(model: ZooModel, path: Path) -> None:
    """Write the model's file."""
    from mlharness_tensorflow import zoo_models

    if model.format == "onnx":
        # From the file and not from a model built anew: every framework gets the very same weights.
        zoo_models.export_onnx(fetch(replace(model, format="keras").uri, None, lambda done, total: None), path)
    else:
        zoo_models.build(model).save(path)
