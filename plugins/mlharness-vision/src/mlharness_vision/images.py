"""The data-set kind ``images``: image files with a whole number as label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlharness.file_items import ItemForm
from mlharness.options import resolve_options
from mlharness_vision.image_files import ImageFiles, Item


def is_label(value: Any) -> bool:
    """True for a class, or for none."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


FORM = ItemForm("images", "label", "whole number or null", is_label)
OPTIONS = (FORM.option,)


def open_images(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> ImageFiles:
    """Open the first ``count`` of the listed images (None: all) without reading them.

    Raises:
        UserError: no items, an item that is not {file, label}, or a file that ``locate`` cannot find.
    """
    items = FORM.choose(resolve_options("data-set kind 'images'", OPTIONS, options)["items"], count)
    return ImageFiles(tuple(Item(file, locate(file), label) for file, label in items))
