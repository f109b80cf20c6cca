"""The data-set kind ``image-folder``: images in a folder of their class each, or in one folder beside their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError, did_you_mean
from mlharness.options import resolve_options
from mlharness.providers import Option
from mlharness_vision.image_files import ImageFiles, Item
from mlharness_vision.label_lines import read_class, read_lines

WHAT = "data set kind 'image-folder'"
SOURCE = "images of your own, CLASS/IMAGE"
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")
LINE = "one class, a whole number, for each image in the order of their names"
OPTIONS = (
    ROOT,
    Option("classes", "array", "The folders to use, in the order of their classes. Without it all folders, sorted."),
    Option("labels", "string", f"A text file in the folder, each line {LINE}; the images then lie beside it."),
    Option("extensions", "array", "What the names of images end in, whatever the case.", EXTENSIONS),
)


def open_folder(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> ImageFiles:
    """Open the first ``count`` images (None: all) without reading them; ``locate`` is not needed.

    The order is that of the classes, then of the paths within; beside labels, of the names.

    Raises:
        UserError: no folder, no image in it or in one of its classes, or labels that are not as many as the images.
    """
    chosen = resolve_options(WHAT, OPTIONS, options)
    root = data_root(chosen["root"], "image-folder", (chosen["labels"],) if chosen["labels"] else (), SOURCE)
    endings = check_endings(chosen["extensions"])
    if chosen["labels"] and chosen["classes"] is not None:
        raise UserError(f"{WHAT} has both labels and classes", "Leave one of them out.")
    found = beside_labels(root, chosen["labels"], endings) if chosen["labels"] else in_classes(root, chosen, endings)
    items = tuple(islice(found, count))
    if not items:
        raise UserError(f"{WHAT}: {root} has nothing to use", f"Put images there that end in {', '.join(endings)}.")
    return ImageFiles(items)


def check_endings(extensions: Sequence[Any]) -> tuple[str, ...]:
    """The endings in lower case. Raises UserError unless they are texts, and there is one."""
    if not extensions or not all(isinstance(ending, str) and ending for ending in extensions):
        raise UserError(f"{WHAT}: extensions is {list(extensions)!r}", "Write them as [.jpg, .png].")
    return tuple(ending.lower() for ending in extensions)


def in_classes(root: Path, chosen: Mapping[str, Any], endings: tuple[str, ...]) -> Iterator[Item]:
    """The images in the folders of classes. Raises UserError for a class without a folder, or without an image."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir())
    for label, name in enumerate(folders if chosen["classes"] is None else chosen["classes"]):
        if name not in folders:
            raise UserError(f"{WHAT}: {root} has no folder {name!r}", did_you_mean(str(name), folders))
        images = sorted(find_images((root / name).rglob("*"), endings))
        if not images:
            raise UserError(f"{WHAT}: {root / name} has no image", f"Put one there that ends in {', '.join(endings)}.")
        for path in images:
            yield Item(path.relative_to(root).as_posix(), path, label)


def beside_labels(root: Path, labels: str, endings: tuple[str, ...]) -> Iterator[Item]:
    """The images in the folder itself, with the labels' lines. Raises UserError when there are more of one kind."""
    images = sorted(find_images(root.iterdir(), endings))
    lines = list(read_lines(root / labels, f"{WHAT}: labels {labels}"))
    if len(images) != len(lines):
        raise UserError(f"{WHAT}: {labels} has {len(lines)} labels, and {root} {len(images)} images", f"Write {LINE}.")
    for path, (number, text) in zip(images, lines, strict=True):
        yield Item(path.name, path, read_class(text, f"{labels}:{number}", None, LINE), f"{labels}:{number}")


def find_images(paths: Iterator[Path], endings: tuple[str, ...]) -> Iterator[Path]:
    """Those of the paths that are files and end so."""
    return (path for path in paths if path.name.lower().endswith(endings) and path.is_file())
