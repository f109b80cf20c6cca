"""What a ``keras://NAME?weights=none&seed=0&format=onnx`` URI asks for. Importing this imports no framework."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mlharness.errors import UserError, did_you_mean
from mlharness.made import parse_query, parse_seed

SCHEME = "keras"
WEIGHTS = ("none", "imagenet")
FORMATS = ("onnx",)
"""What a model can be exported to; without ``format`` it is a ``.keras`` file."""
_KEYS = ("weights", "seed", "format")
_NAME = re.compile(r"[a-z0-9]+\Z")
_FORM = "Write keras://NAME?weights=none, as keras://resnet50?weights=none; seed=N changes the random weights."


@dataclass(frozen=True)
class ZooModel:
    """One file of the zoo: folded name, ``none`` or ``imagenet`` weights, seed of random weights, format."""

    name: str
    weights: str
    seed: int = 0
    format: str = "keras"

    @property
    def uri(self) -> str:
        """The one spelling that all URIs of this model share."""
        seed = f"&seed={self.seed}" if self.weights == "none" else ""
        exported = f"&format={self.format}" if self.format in FORMATS else ""
        return f"{SCHEME}://{self.name}?weights={self.weights}{seed}{exported}"


def fold(name: str) -> str:
    """One spelling for ``MobileNetV2``, ``mobilenet_v2`` and ``mobilenet-v2``."""
    return re.sub(r"[_-]", "", name).lower()


def parse(uri: str) -> ZooModel:
    """What a URI asks for. Raises UserError for one that makes no sense, and for unknown or repeated query keys."""
    parts = _split(uri)
    name = fold(parts.netloc)
    if parts.scheme != SCHEME or not _NAME.match(name) or parts.path not in ("", "/") or parts.fragment:
        raise UserError(f"{uri} names no model of the Keras zoo", _FORM)
    query = parse_query(uri, parts.query, _KEYS, _FORM)
    weights = query.get("weights", "")
    if weights not in WEIGHTS:
        found = f"weights={weights!r} is unknown" if weights else "the query parameter weights is missing"
        raise UserError(f"{uri}: {found}", f"{did_you_mean(weights, WEIGHTS)} none: random weights, no download.")
    if "seed" in query and weights != "none":
        raise UserError(f"{uri}: seed is for random weights only", "Leave seed out, or write weights=none.")
    seed = parse_seed(uri, query.get("seed", "0"))
    if query.get("format", FORMATS[0]) not in FORMATS:
        raise UserError(f"{uri}: format={query['format']!r} is unknown", did_you_mean(query["format"], FORMATS))
    return ZooModel(name, weights, seed, query.get("format", "keras"))


def _split(uri: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError as error:  # a bracket that is no IPv6 address
        raise UserError(f"{uri} names no model of the Keras zoo: {error}", _FORM) from error
