"""A file of annotations in COCO's form, as ``instances_val2017.json`` and ``openimages-mlperf.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlharness.errors import UserError

KEPT = ("id", "category_id", "bbox", "area", "iscrowd")
"""Of each annotation: what average precision needs. ``bbox`` is left, top, width, height in pixels."""
_REPLACE = "Put the file there as it was published."
_Number = (int, float)


@dataclass(frozen=True)
class AnnotatedImage:
    """One image: its id, file name, size in pixels, and its annotations, each with the keys of :data:`KEPT`."""

    id: int
    file_name: str
    height: int
    width: int
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Annotations:
    """Every image in the file's order, and the ids of the categories in the file's order."""

    images: tuple[AnnotatedImage, ...]
    categories: tuple[int, ...]


def read_annotations(path: Path) -> Annotations:
    """Read a file of annotations.

    Annotations of images that the file does not list are left out, as the reference implementation does.

    Raises:
        UserError: the file cannot be read, is no JSON of this form, lists no image or one id twice, or annotates with a
            category that it does not list; the message names the file and the entry.
    """
    document = read_document(path)
    categories = tuple(entry["id"] for entry in entries(path, document, "categories", {"id": int}))
    images = {}
    for entry in entries(path, document, "images", {"id": int, "file_name": str, "height": _Number, "width": _Number}):
        if entry["id"] in images:
            raise UserError(f"{path}: two images have the id {entry['id']}", _REPLACE)
        images[entry["id"]] = AnnotatedImage(entry["id"], entry["file_name"], entry["height"], entry["width"])
    if not images:
        raise UserError(f"{path}: images is empty", _REPLACE)
    known = frozenset(categories)
    wanted = {"id": int, "image_id": int, "category_id": int, "bbox": list, "area": _Number, "iscrowd": int}
    for place, entry in enumerate(entries(path, document, "annotations", wanted)):
        check_annotation(path, place, entry, known)
        if entry["image_id"] in images:
            images[entry["image_id"]].annotations.append({key: entry[key] for key in KEPT})
    return Annotations(tuple(images.values()), categories)


def read_document(path: Path) -> Mapping[str, Any]:
    """The file as JSON. Raises UserError when it cannot be read, or is no JSON object."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}", _REPLACE) from error
    if not isinstance(document, dict):
        raise UserError(f"{path} holds a {type(document).__name__}, and no annotations", _REPLACE)
    return document


def entries(path: Path, document: Mapping[str, Any], name: str, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The entries of one list. Raises UserError naming the first that lacks a key, or has one of another type."""
    listed = document.get(name)
    if not isinstance(listed, list):
        raise UserError(f"{path} has no list {name!r}", _REPLACE)
    for place, entry in enumerate(listed):
        if not isinstance(entry, dict):
            raise UserError(f"{path}: {name}[{place}] is {entry!r}", _REPLACE)
        for key, kind in wanted.items():
            if not isinstance(entry.get(key), kind):
                raise UserError(f"{path}: {name}[{place}] has {entry.get(key)!r} for {key!r}", _REPLACE)
        yield entry


def check_annotation(path: Path, place: int, entry: Mapping[str, Any], categories: frozenset[int]) -> None:
    """Raise UserError unless an annotation has a category of the file, and a box of four numbers."""
    if entry["category_id"] not in categories:
        raise UserError(
            f"{path}: annotations[{place}] has the category {entry['category_id']}, which is not listed", _REPLACE
        )
    if len(entry["bbox"]) != 4 or not all(isinstance(number, _Number) for number in entry["bbox"]):
        raise UserError(f"{path}: annotations[{place}] has the box {entry['bbox']!r}", _REPLACE)
