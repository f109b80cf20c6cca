"""The source ``mxnet://MODEL``: models of Gluon's zoo, and of GluonCV's, as one file for the framework ``mxnet``.

``mxnet://resnet50_v1`` has trained weights, from the web; ``mxnet://resnet50_v1?weights=none&seed=0`` random ones.
Nothing here imports MXNet: locating runs in the parent, and only a fetch builds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from mlharness.errors import UserError, did_you_mean
from mlharness.made import made_before, make_once, parse_query, parse_seed
from mlharness.manifest.files import verify
from mlharness.paths import cache_dir

_FORM = "Write mxnet://MODEL or mxnet://MODEL?weights=none&seed=0, as mxnet://resnet50_v1."
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}\Z")
_KEYS = ("weights", "seed")
_WEIGHTS = ("default", "none")
_EDITION = 1
"""Raised when the same URI is to give another file, so that no cached one is taken for it."""


@dataclass(frozen=True)
class ZooModel:
    """What a URI asks for; ``seed`` is None for trained weights."""

    name: str
    seed: int | None

    @property
    def uri(self) -> str:
        """The one spelling of this URI."""
        query = "weights=default" if self.seed is None else f"weights=none&seed={self.seed}"
        return f"mxnet://{self.name}?{query}"

    @property
    def path(self) -> Path:
        """Where its file is kept. MXNet's version is not part of it: the parent, which asks, has no MXNet."""
        key = hashlib.sha256(f"{_EDITION} {self.uri}".encode()).hexdigest()[:16]
        return cache_dir() / "zoo" / "mxnet" / key / f"{self.name}.mxnet"


def locate(uri: str, sha256: str | None) -> Path | None:
    """The model's file when it is in the cache. Raises UserError for a malformed URI, or a wrong checksum."""
    return made_before(parse(uri).path, uri, sha256)


def fetch(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    """Build the model and keep it in the cache; two processes that ask for one model build it once.

    Raises:
        UserError: MXNet is not installed, no zoo has the model, its weights cannot be downloaded, or the checksum is
            another one.
    """
    wanted = parse(uri)
    path = wanted.path
    make_once(path, partial(build, wanted))
    size = path.stat().st_size
    advance(size, size)
    return verify(path, sha256, uri)


def build(wanted: ZooModel, path: Path) -> None:
    """Write the model's file."""
    from mlharness_mxnet.building import save

    save(wanted, path)


def parse(uri: str) -> ZooModel:
    """What a URI asks for. Raises UserError for one that asks for nothing."""
    parts = urlsplit(uri)
    name = parts.netloc.lower()
    if parts.scheme.lower() != "mxnet" or not _NAME.match(name) or parts.path not in ("", "/") or parts.fragment:
        raise UserError(f"{uri} names no model", _FORM)
    query = parse_query(uri, parts.query, _KEYS, _FORM)
    weights = query.get("weights", "default").lower()
    if weights not in _WEIGHTS:
        raise UserError(f"{uri}: weights is {query['weights']!r}", did_you_mean(weights, _WEIGHTS))
    if weights == "default":
        if "seed" in query:
            raise UserError(f"{uri}: trained weights have no seed", "Add weights=none for random weights.")
        return ZooModel(name, None)
    return ZooModel(name, parse_seed(uri, query.get("seed", "0")))
