"""The source ``mxnet://MODEL``: models of Gluon's zoo, and of GluonCV's, as one file for the framework ``mxnet``.

``mxnet://resnet50_v1`` has trained weights, from the web; ``mxnet://resnet50_v1?weights=none&seed=0`` random ones.
Nothing here imports MXNet: locating runs in the parent, and only a fetch builds.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import filelock

from mlharness.errors import UserError, did_you_mean
from mlharness.manifest.files import verify
from mlharness.paths import cache_dir

_FORM = "Write mxnet://MODEL or mxnet://MODEL?weights=none&seed=0, as mxnet://resnet50_v1."
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}\Z")
_KEYS = ("weights", "seed")
_WEIGHTS = ("default", "none")
_MOST_SEED = 2**63 - 1
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
    path = parse(uri).path
    try:
        there = path.is_file()
    except OSError as error:
        raise unusable_cache(path, error) from error
    return verify(path, sha256, uri) if there else None


def fetch(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    """Build the model and keep it in the cache; two processes that ask for one model build it once.

    Raises:
        UserError: MXNet is not installed, no zoo has the model, its weights cannot be downloaded, or the checksum is
            another one.
    """
    wanted = parse(uri)
    path = wanted.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not path.is_file():
                build(wanted, path)
        size = path.stat().st_size
    except OSError as error:
        raise unusable_cache(path, error) from error
    advance(size, size)
    return verify(path, sha256, uri)


def build(wanted: ZooModel, path: Path) -> None:
    """Write the file aside, and rename it when it is complete."""
    from mlharness_mxnet.building import save

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        save(wanted, part)
        part.replace(path)


def parse(uri: str) -> ZooModel:
    """What a URI asks for. Raises UserError for one that asks for nothing."""
    parts = urlsplit(uri)
    name = parts.netloc.lower()
    if parts.scheme.lower() != "mxnet" or not _NAME.match(name) or parts.path not in ("", "/") or parts.fragment:
        raise UserError(f"{uri} names no model", _FORM)
    query = parse_query(uri, parts.query)
    weights = query.get("weights", "default").lower()
    if weights not in _WEIGHTS:
        raise UserError(f"{uri}: weights is {query['weights']!r}", did_you_mean(weights, _WEIGHTS))
    if weights == "default":
        if "seed" in query:
            raise UserError(f"{uri}: trained weights have no seed", "Add weights=none for random weights.")
        return ZooModel(name, None)
    return ZooModel(name, parse_seed(uri, query.get("seed", "0")))


def parse_query(uri: str, text: str) -> dict[str, str]:
    """The query's keys and values. Raises UserError for a key that is unknown, or given twice."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError as error:
        raise UserError(f"{uri}: {error}", _FORM) from error
    query = dict(pairs)
    for key in query:
        if key not in _KEYS:
            raise UserError(f"{uri}: there is no {key!r} to choose", did_you_mean(key, _KEYS))
    if len(query) != len(pairs):
        raise UserError(f"{uri} gives one key twice", _FORM)
    return query


def parse_seed(uri: str, text: str) -> int:
    """The seed of random weights. Raises UserError unless it is a whole number that a generator takes."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _MOST_SEED):
        raise UserError(f"{uri}: seed is {text!r}", f"Give a whole number from 0 to {_MOST_SEED}.")
    return int(text)


def unusable_cache(path: Path, error: OSError) -> UserError:
    """The cache's folder is not what it should be."""
    return UserError(
        f"the cache {path.parent} cannot be used: {error.strerror or error}",
        "Free space there, check its permissions, or set MLH_CACHE_DIR.",
    )
