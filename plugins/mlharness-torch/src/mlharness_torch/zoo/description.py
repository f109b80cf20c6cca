"""What a zoo model's file says of itself, in its metadata: enough to build its architecture again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlharness.errors import UserError

_KEY = "mlharness"
_ZOOS = ("torchvision", "timm")


@dataclass(frozen=True)
class Description:
    """Zoo and its version, what to build there and with which arguments, the input's shape, and the canonical URI."""

    zoo: str
    version: str
    model: str
    arguments: Mapping[str, Any]
    input: tuple[int, ...]
    uri: str

    def metadata(self) -> dict[str, str]:
        """As the metadata of a ``.safetensors`` file: one entry, since the order of several is left to chance."""
        return {_KEY: json.dumps(asdict(self), sort_keys=True)}


def has_description(metadata: Mapping[str, str]) -> bool:
    """True for the metadata of a file that a zoo's source wrote."""
    return _KEY in metadata


def read_description(metadata: Mapping[str, str]) -> Description:
    """The description in a file's metadata. Raises UserError for one that is damaged, or that nobody wrote here."""
    try:
        found = Description(**json.loads(metadata[_KEY]))
        sizes = tuple(int(size) for size in found.input)
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(str(error)) from error
    if found.zoo not in _ZOOS or not isinstance(found.arguments, dict) or min(sizes, default=0) < 1:
        raise _damaged(str(found))
    if not all(isinstance(text, str) for text in (found.version, found.model, found.uri)):
        raise _damaged(str(found))
    return Description(found.zoo, found.version, found.model, found.arguments, sizes, found.uri)


def _damaged(what: str) -> UserError:
    return UserError(f"the file's description of its model is damaged: {what}", "Delete the file from the cache.")
