"""A model from code: what ``attributes.torch`` of a manifest names, imported and called."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mlharness.errors import UserError, did_you_mean

_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")
_KEYS = ("model", "arguments", "keywords", "key")


@dataclass(frozen=True)
class ModelCode:
    """``attributes.torch``: what to call, with what, and the key of the state dict within its file (empty: none)."""

    model: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""


def read_code(attributes: Mapping[str, Any]) -> ModelCode | None:
    """The code that a manifest names; None when it names none. Raises UserError for what is not as it must be."""
    given = attributes.get("torch")
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise UserError(f"attributes.torch is {given!r}", "Write a mapping, as torch: {model: 'package.module:name'}.")
    for key in given:
        if key not in _KEYS:
            raise UserError(f"attributes.torch has no key {key!r}", did_you_mean(str(key), _KEYS))
    model, arguments, keywords = given.get("model"), given.get("arguments", ()), given.get("keywords", {})
    if not isinstance(model, str) or not _CALLABLE.match(model):
        raise UserError(f"attributes.torch.model is {model!r}", "Write what to call as 'package.module:name'.")
    if not isinstance(arguments, list | tuple) or not isinstance(keywords, Mapping):
        raise UserError("attributes.torch: arguments must be a list, keywords a mapping", "Correct the manifest.")
    return ModelCode(model, tuple(arguments), dict(keywords), str(given.get("key", "")))


def build_model(code: ModelCode) -> torch.nn.Module:
    """Import and call. Planning has asked for trust.

    Raises:
        UserError: the module or the name is not there, the call fails, or gives no ``torch.nn.Module``.
    """
    try:
        made = _find(code.model)(*code.arguments, **code.keywords)
    except UserError:
        raise
    except Exception as error:  # whatever a model's code raises
        raise UserError(
            f"{code.model} cannot be called: {type(error).__name__}: {error}",
            "Correct arguments and keywords under attributes.torch.",
        ) from error
    if not isinstance(made, torch.nn.Module):
        raise UserError(f"{code.model} gives {type(made).__name__}", "It must return a torch.nn.Module.")
    return made


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{name}: {error}", f"Install what carries {module}, and name it under requires in the manifest."
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise UserError(f"{name}: there is no {part!r}", did_you_mean(part, vars(found)))
        found = getattr(found, part)
    return found
