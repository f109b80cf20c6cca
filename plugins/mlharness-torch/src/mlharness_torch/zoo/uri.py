"""``torchvision://resnet50?weights=none&seed=0&format=onnx``, taken apart. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from mlharness.errors import UserError, did_you_mean
from mlharness.made import parse_query, parse_seed

FORMATS = ("onnx",)
RANDOM = "none"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_WEIGHTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_KEYS = ("weights", "seed", "format")


@dataclass(frozen=True)
class ZooModel:
    """A model of a zoo: its name there, which weights, the seed of random ones, and the format (empty: PyTorch's)."""

    zoo: str
    name: str
    weights: str
    seed: int = 0
    format: str = ""

    @property
    def random(self) -> bool:
        """True when the weights are random numbers."""
        return self.weights == RANDOM

    @property
    def canonical(self) -> str:
        """One spelling for one network with one set of weights, whatever its format."""
        seed = f"&seed={self.seed}" if self.random else ""
        return f"{self.zoo}://{self.name}?weights={self.weights}{seed}"

    @property
    def file_name(self) -> str:
        """What its file in the cache is called."""
        return f"{self.name}.{self.format or 'safetensors'}"

    def key(self, version: str) -> str:
        """The folder of its files: the same network of another version of the zoo may be another network."""
        return hashlib.sha256(f"{self.canonical} {version}".encode()).hexdigest()[:16]


def parse(uri: str) -> ZooModel:
    """The model that a URI names. Raises UserError for a URI that names none, or says what is not known."""
    zoo, _, rest = uri.partition("://")
    name, _, query = rest.partition("?")
    example = f"Write {zoo}://resnet50?weights=none."
    if not _NAME.match(name) or ".." in name:
        raise UserError(f"{uri} names no model", example)
    given = parse_query(uri, query, _KEYS, example)
    weights = given.get("weights", "")
    if not _WEIGHTS.match(weights):
        raise UserError(f"{uri} does not say which weights", f"{example[:-1]}, or weights=NAME of trained ones.")
    weights = RANDOM if weights.lower() == RANDOM else weights
    if "seed" in given and weights != RANDOM:
        raise UserError(f"{uri}: a seed goes with weights=none only", "Leave out seed.")
    found = given.get("format", "")
    if found and found not in FORMATS:
        raise UserError(f"{uri}: there is no format {found!r}", did_you_mean(found, FORMATS))
    return ZooModel(zoo.lower(), name, weights, parse_seed(uri, given.get("seed", "0")), found)
