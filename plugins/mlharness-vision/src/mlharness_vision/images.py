"""The data-set kind ``images``: image files with a whole number as label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlharness.errors import UserError, did_you_mean
from mlharness.options import resolve_options
from mlharness.providers import Option
from mlharness_vision.image_files import ImageFiles, Item

OPTIONS = (Option("items", "array", "A list of {file: URI or path, label: whole number or null}.", required=True),)
_WHAT = "data-set kind 'images'"
_SHAPE_OF_ITEM = "Write it as {file: URI or path, label: whole number or null}."


def open_images(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> ImageFiles:
    """Open the first ``count`` of the listed images (None: all) without reading them.

    Raises:
        UserError: no items, an item that is not {file, label}, or a file that ``locate`` cannot find.
    """
    items = resolve_options(_WHAT, OPTIONS, options)["items"]
    checked = [check_item(position, item) for position, item in enumerate(items)]
    chosen = checked if count is None else checked[:count]
    if not chosen:
        raise UserError(f"{_WHAT}: items has nothing to use", "List at least one {file, label}, and ask for one.")
    return ImageFiles(tuple(Item(file, locate(file), label) for file, label in chosen))


def check_item(position: int, item: object) -> tuple[str, int | None]:
    """File and label of one entry of ``items``. Raises UserError naming the entry, counted from 0."""
    where = f"{_WHAT}: items[{position}]"
    if not isinstance(item, Mapping):
        raise UserError(f"{where} is {item!r}", _SHAPE_OF_ITEM)
    for key in item:
        if key not in ("file", "label"):
            raise UserError(f"{where} has no key {key!r}", did_you_mean(str(key), ("file", "label")))
    for key in ("file", "label"):
        if key not in item:
            raise UserError(f"{where} has no {key!r}: {dict(item)!r}", _SHAPE_OF_ITEM)
    file, label = item["file"], item["label"]
    if not isinstance(file, str) or not file:
        raise UserError(f"{where}: file is {file!r}", _SHAPE_OF_ITEM)
    if label is not None and (not isinstance(label, int) or isinstance(label, bool)):
        raise UserError(f"{where} ({file}): label is {label!r}", _SHAPE_OF_ITEM)
    return file, label
