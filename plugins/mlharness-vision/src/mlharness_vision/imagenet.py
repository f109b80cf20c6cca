"""The data-set kind ``imagenet``: the validation set of ILSVRC 2012 in one of the two layouts in which people keep it.

Either ``val_map.txt`` says path and class of each image, as for MLPerf's reference implementation, and may lie in any
folder; or ``val/`` holds a folder for each synset, as for torchvision.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mlharness.data_root import ROOT, VARIABLE, data_root
from mlharness.errors import UserError, did_you_mean
from mlharness.options import resolve_options
from mlharness.providers import Option
from mlharness_vision.image_files import ImageFiles, Item
from mlharness_vision.label_lines import read_class, read_lines

WHAT = "data set kind 'imagenet'"
SOURCE = (
    "its lines are 'path class', the images those of ILSVRC2012_img_val.tar, for which one has to register at "
    "https://image-net.org; or put val/WNID/*.JPEG there"
)
LIST, FOLDER, SYNSETS = "val_map.txt", "val", "synsets.txt"
LINE = "'path class', the path from the folder of the data set and the class from 0 to 999"
CLASSES = 1000
OPTIONS = (
    ROOT,
    Option("list", "string", f"The file of the lines {LINE}. Without it {LIST}, or the folders {FOLDER}/WNID."),
    Option("synsets", "string", f"A file that begins each line with a WNID, in the classes' order; as {SYNSETS}."),
    Option("offset", "integer", "Added to each class, as 1 for a model whose class 0 is the background.", 0),
)


def open_imagenet(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> ImageFiles:
    """Open the first ``count`` images (None: all) without reading them; ``locate`` is not needed.

    The order is that of the lines, or of the files' names whatever their folders, which is the same in the original.

    Raises:
        UserError: no folder or list, no images, a line that is not path and class, a folder that is no synset.
    """
    chosen = resolve_options(WHAT, OPTIONS, options)
    listed = chosen["list"] or (None if has_only_folders(chosen["root"]) else LIST)
    root = data_root(chosen["root"], "ImageNet", (listed or FOLDER,), SOURCE)
    offset = chosen["offset"]
    found = read_list(root, listed, offset) if listed else read_folders(root, chosen["synsets"], offset)
    items = tuple(islice(found, count))
    if not items:
        raise UserError(f"ImageNet: {root / (listed or FOLDER)} has nothing to use", f"Put {LIST} there: {SOURCE}.")
    return ImageFiles(items)


def has_only_folders(root: str | None) -> bool:
    """True when the folder of the data set has no list in the usual place, but a folder of images."""
    folder = Path(root or os.environ.get(VARIABLE) or "").expanduser()
    return bool(root or os.environ.get(VARIABLE)) and not (folder / LIST).exists() and (folder / FOLDER).is_dir()


def read_list(root: Path, name: str, offset: int) -> Iterator[Item]:
    """The images that a list names, in its order. Raises UserError naming the line that is not as it should be."""
    for number, line in read_lines(root / name, f"ImageNet: {name}"):
        where = f"{name}:{number}"
        parts = line.rsplit(maxsplit=1)
        if len(parts) != 2:
            raise UserError(f"{where}: {line!r} is not path and class", f"Write each line as {LINE}.")
        path, label = parts
        yield Item(path, root / path, read_class(label, where, CLASSES, LINE) + offset, where)


def read_folders(root: Path, synsets: str | None, offset: int) -> Iterator[Item]:
    """The images in the folders of synsets, ordered by name. Raises UserError for a folder that is no synset."""
    folders = sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir())
    classes = synset_classes(root, synsets, folders)
    images: list[tuple[str, str]] = []
    for folder in folders:
        if folder not in classes:
            raise UserError(f"ImageNet: {FOLDER}/{folder} is no synset", did_you_mean(folder, list(classes)))
        inside = (path.name for path in (root / FOLDER / folder).iterdir())
        images += [(name, folder) for name in inside if name.lower().endswith((".jpeg", ".jpg", ".png"))]
    for name, folder in sorted(images):
        path = f"{FOLDER}/{folder}/{name}"
        yield Item(path, root / path, classes[folder] + offset)


def synset_classes(root: Path, synsets: str | None, folders: Sequence[str]) -> Mapping[str, int]:
    """The class of each synset, by its WNID: its place in the file of synsets, else among all sorted folders.

    Raises:
        UserError: there is no such file, and the folders are not those of all classes.
    """
    if synsets is None and not (root / SYNSETS).exists():
        if len(folders) != CLASSES:
            raise UserError(
                f"ImageNet: {root / FOLDER} has {len(folders)} folders, and there are {CLASSES} synsets",
                f"Put {SYNSETS} into {root}, with the WNIDs of all classes in their order, or write {LIST}.",
            )
        return {folder: place for place, folder in enumerate(folders)}
    lines = read_lines(root / (synsets or SYNSETS), f"ImageNet: {synsets or SYNSETS}")
    return {line.split()[0]: place for place, (_, line) in enumerate(lines)}
