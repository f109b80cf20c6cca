"""The data-set kinds ``coco`` and ``openimages``: images beside one file of annotations, as MLPerf lays them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Arrays, DataSet, OpenDataSet, Option
from mlharness_vision.detection.annotations import AnnotatedImage, read_annotations
from mlharness_vision.image_files import ImageFiles, Item

OPTIONS = (
    ROOT,
    Option("images", "integer", "How many images the annotations must list, so that no other set passes for this one."),
    Option("annotated_only", "boolean", "Whether images without any annotation are left out.", False),
)


@dataclass(frozen=True)
class Layout:
    """Where a data set's files lie from its folder, and where they can be had."""

    what: str
    images: str
    annotations: str
    source: str


COCO = Layout(
    "COCO 2017",
    "val2017",
    "annotations/instances_val2017.json",
    "val2017.zip and annotations_trainval2017.zip from https://cocodataset.org, under its terms of use",
)
OPENIMAGES = Layout(
    "OpenImages",
    "validation/data",
    "annotations/openimages-mlperf.json",
    "made by vision/classification_and_detection/tools/openimages_mlperf.sh of https://github.com/mlcommons/inference",
)


@dataclass(frozen=True)
class AnnotatedFiles:
    """An opened data set; see :class:`mlharness.providers.FileDataSet`. It holds no pixels and no open file."""

    files: ImageFiles
    images: tuple[AnnotatedImage, ...]
    categories: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.images)

    def check(self) -> None:
        """Open every header. Raises UserError naming the first file that is missing or no readable image."""
        self.files.check()

    def file(self, index: int) -> Path:
        """The file of one image."""
        return self.files.file(index)

    def sample(self, index: int) -> Arrays:
        """The file's bytes, uint8 [bytes]. Raises UserError when the file cannot be read any more."""
        return self.files.sample(index)

    def label(self, index: int) -> dict[str, Any]:
        """What is to be found in an image, as the metrics ``coco-map`` and ``openimages-map`` take it.

        ``image_id``, ``height`` and ``width`` (pixels), ``annotations`` (a list of mappings with ``id``,
        ``category_id``, ``bbox``, ``area`` and ``iscrowd`` of COCO's form), and ``categories``: the ids of all
        categories of the data set in its own order. The same objects each time: only read them.
        """
        image = self.images[index]
        return {
            "image_id": image.id,
            "height": image.height,
            "width": image.width,
            "annotations": image.annotations,
            "categories": self.categories,
        }


def open_annotated(
    layout: Layout, options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]
) -> DataSet:
    """Open the first ``count`` images (None: all) that the annotations list, in their order, without reading them.

    The order is that of the annotations' ``images``, from which MLPerf's scripts count.

    Raises:
        UserError: the folder is not known or not complete, the annotations cannot be read or list another number of
            images than the option ``images`` says, or nothing is left to use.
    """
    chosen = resolve_options(f"data set {layout.what}", OPTIONS, options)
    root = data_root(chosen["root"], layout.what, (layout.images, layout.annotations), layout.source)
    annotations = root / layout.annotations
    read = read_annotations(annotations)
    if chosen["images"] not in (None, len(read.images)):
        raise UserError(
            f"{annotations} lists {len(read.images)} images, and images is {chosen['images']}",
            f"Put the whole set there ({layout.source}), or give a data set of your own, without the option images.",
        )
    found = [image for image in read.images if image.annotations or not chosen["annotated_only"]]
    used = tuple(found if count is None else found[:count])
    if not used:
        raise UserError(f"{layout.what}: {annotations} has no image to use", "Check it, and --count.")
    folder = root / layout.images
    items = tuple(Item(image.file_name, folder / image.file_name, None, str(annotations)) for image in used)
    return AnnotatedFiles(ImageFiles(items), used, read.categories)


open_coco: OpenDataSet = partial(open_annotated, COCO)
open_openimages: OpenDataSet = partial(open_annotated, OPENIMAGES)
