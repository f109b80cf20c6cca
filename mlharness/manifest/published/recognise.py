"""Tells a file of the published format, which does not say its kind, from what else has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODEL, DATASET = "published-model", "published-dataset"
"""The names of the schemas."""
_FILE_KEYS = frozenset({"graph_path", "graph_checksum", "weights_path", "features_path", "is_archive", "base_url"})
_CODE_KEYS = ("preprocess", "postprocess", "before_preprocess", "before_postprocess")
_DATASET_KEYS = ("init", "load", "unload")


def recognise(data: Mapping[str, Any]) -> str | None:
    """The name of the schema that a file is meant to follow; None for one that is not of the published format."""
    if "kind" in data:
        return None
    if any(isinstance(data.get(key), str) for key in _DATASET_KEYS):
        return DATASET
    model = data.get("model")
    has_files = isinstance(model, dict) and not _FILE_KEYS.isdisjoint(model)
    has_code = any(isinstance(data.get(key), str) for key in _CODE_KEYS)
    return MODEL if has_files or has_code or _has_types(data.get("inputs")) else None


def _has_types(inputs: object) -> bool:
    return isinstance(inputs, list) and any(isinstance(item, dict) and "type" in item for item in inputs)
