"""Make small data sets in the layouts of COCO 2017 and of MLPerf's OpenImages, and a log of detections in them.

The pictures are photographs from scikit-image's wheel, all of them CC0 or in the public domain, cut and scaled down.
Boxes, categories and detections are random numbers that mean nothing; they only look like an evaluation that goes
neither well nor badly.

    python scripts/make_detection_fixtures.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures"
Cut = tuple[str, tuple[float, float, float, float], int]
CUTS: Sequence[Cut] = (
    ("chelsea", (0, 0, 1, 1), 240),
    ("coffee", (0, 0, 1, 1), 256),
    ("astronaut", (0, 0, 1, 1), 200),
    ("rocket", (0, 0, 1, 1), 224),
    ("camera", (0, 0, 1, 1), 180),
    ("rocket", (0.2, 0.1, 0.8, 0.9), 250),
    ("astronaut", (0.2, 0, 0.7, 0.6), 200),
    ("coffee", (0.3, 0.1, 0.8, 0.9), 230),
    ("chelsea", (0.1, 0.1, 0.9, 0.7), 210),
    ("camera", (0.2, 0.1, 0.9, 0.8), 240),
)
"""Of each image: the photograph, the part of it (left, top, right, bottom), and the pixels of its longer side."""
COCO_IDS = (397133, 37777, 252219, 87038, 174482, 403385, 6818, 480985, 458054, 331352)
OPENIMAGES_IDS = ("0001eeaf4aed83f9", "000595fe6fee6369", "00075905539074f2", "0007d6cf88afaa4a")
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""Numbers from 1 to 90 that are no ids of COCO's 80 categories."""
COCO_CATEGORIES = tuple(number for number in range(1, 91) if number not in UNUSED)
COCO_DRAWN, OPENIMAGES_DRAWN = (1, 13, 17, 44, 67, 90), (0, 3, 7, 11)


def picture(cut: Cut) -> Image.Image:
    """One photograph, cut and scaled down; grey ones stay grey."""
    import skimage

    name, (left, top, right, bottom), longest = cut
    (file,) = (Path(skimage.__file__).parent / "data").glob(f"{name}.*")
    with Image.open(file) as image:
        grey = image.mode == "L"
        whole = image.convert("L" if grey else "RGB")
    width, height = whole.size
    part = whole.crop((int(left * width), int(top * height), int(right * width), int(bottom * height)))
    scale = longest / max(part.size)
    small: Image.Image = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.LANCZOS)
    return small


def boxes(draw: np.random.Generator, width: int, height: int, count: int) -> list[list[float]]:
    """Boxes inside an image: left, top, width, height in pixels, small ones and large ones."""
    found = []
    for _ in range(count):
        wide, high = (draw.uniform(*draw.choice([(12, 30), (40, 90), (100, 170)])) for _ in range(2))
        wide, high = min(wide, width - 2), min(high, height - 2)
        left, top = draw.uniform(0, width - wide), draw.uniform(0, height - high)
        found.append([round(number, 2) for number in (left, top, wide, high)])
    return found


def annotate(
    draw: np.random.Generator, images: Sequence[Mapping[str, Any]], drawn: Sequence[int]
) -> list[dict[str, Any]]:
    """Annotations in COCO's form for all images but the last; one of them is of a crowd."""
    found: list[dict[str, Any]] = []
    for image in images[:-1]:
        for box in boxes(draw, image["width"], image["height"], int(draw.integers(2, 6))):
            found.append({
                "id": len(found) + 1, "image_id": image["id"], "category_id": int(draw.choice(drawn)), "bbox": box,
                "area": round(box[2] * box[3] * float(draw.uniform(0.6, 1.0)), 4), "iscrowd": 0,
            })  # fmt: skip
    found[3]["iscrowd"] = 1
    return found


def detect(
    draw: np.random.Generator,
    index: int,
    image: Mapping[str, Any],
    truths: Sequence[Mapping[str, Any]],
    drawn: Sequence[int],
) -> npt.NDArray[np.float32]:
    """Rows as MLPerf's scripts read them, float32 [n, 7]: most of what is there, moved a little, and more."""
    size = np.array([image["width"], image["height"]] * 2)
    found = []
    for truth in truths:
        left, top, wide, high = truth["bbox"]
        for _ in range(int(draw.choice([0, 1, 1, 1, 2]))):
            moved = draw.normal(0, draw.choice([0.02, 0.08, 0.2]), 4) * (wide, high, wide, high)
            edges = (np.array([left, top, left + wide, top + high]) + moved) / size
            category = truth["category_id"] if draw.uniform() < 0.9 else draw.choice(drawn)
            found.append([index, *edges[[1, 0, 3, 2]], draw.uniform(0.3, 1.0), category])
    for left, top, wide, high in boxes(draw, image["width"], image["height"], int(draw.integers(0, 4))):
        edges = np.array([left, top, left + wide, top + high]) / size
        found.append([index, *edges[[1, 0, 3, 2]], draw.uniform(0.05, 0.7), draw.choice(drawn)])
    rows = np.array(found, np.float32).reshape(-1, 7)
    return rows[np.argsort(-rows[:, 5], kind="stable")]


def write_log(path: Path, rows: Sequence[npt.NDArray[np.float32]], draw: np.random.Generator) -> None:
    """LoadGen's accuracy log of these responses in random order, one sample a second time with another response."""
    order = [*draw.permutation(len(rows)).tolist(), 0]
    lines = [
        f'{{ "seq_id" : {number}, "qsl_idx" : {index}, "data" : "{data.tobytes().hex().upper()}", "token_count" : 0 }}'
        for number, (index, data) in enumerate((index, rows[index] if number < len(rows) else rows[index][:1])
                                               for number, index in enumerate(order))
    ]  # fmt: skip
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")


def make(
    folder: Path, images_in: str, annotations_in: str, names: Sequence[tuple[int, str]],
    categories: Sequence[Mapping[str, Any]], drawn: Sequence[int], seed: int,
) -> None:  # fmt: skip
    """Write pictures, annotations and a log of detections."""
    draw = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    (folder / images_in).mkdir(parents=True, exist_ok=True)
    (folder / annotations_in).parent.mkdir(parents=True, exist_ok=True)
    for cut, (number, name) in zip(CUTS, names, strict=False):
        image = picture(cut)
        image.save(folder / images_in / name, "JPEG", quality=85)
        images.append({
            "id": number, "file_name": name, "height": image.height, "width": image.width, "license": 1, "coco_url": "",
        })  # fmt: skip
    annotations = annotate(draw, images, drawn)
    document = {"info": {}, "licenses": [], "categories": categories, "images": images, "annotations": annotations}
    (folder / annotations_in).write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    rows = [
        detect(draw, index, image, [one for one in annotations if one["image_id"] == image["id"]], drawn)
        for index, image in enumerate(images)
    ]
    rows[2] = rows[2][:0]  # nothing found
    write_log(folder / "mlperf_log_accuracy.json", rows, draw)
    places = {category["id"]: place for place, category in enumerate(categories, 1)}
    for one in rows:
        one[:, 6] = [places[int(category)] for category in one[:, 6]]
    write_log(folder / "mlperf_log_accuracy_numbered.json", rows, draw)


def main(folder: Path = FOLDER) -> None:
    """Both data sets."""
    make(
        folder / "coco", "val2017", "annotations/instances_val2017.json",
        [(number, f"{number:012}.jpg") for number in COCO_IDS],
        [{"supercategory": "", "id": number, "name": f"category {number}"} for number in COCO_CATEGORIES],
        COCO_DRAWN, seed=7,
    )  # fmt: skip
    make(
        folder / "openimages", "validation/data", "annotations/openimages-mlperf.json",
        [(number, f"{name}.jpg") for number, name in enumerate(OPENIMAGES_IDS, 1)],
        [{"id": number, "name": f"category {number}", "supercategory": None} for number in range(264)],
        OPENIMAGES_DRAWN, seed=8,
    )  # fmt: skip


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
