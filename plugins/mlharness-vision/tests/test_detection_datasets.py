"""The data-set kinds ``coco`` and ``openimages``, and the manifests of the official sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlharness_vision.detection.datasets import AnnotatedFiles, open_coco, open_openimages

from mlharness.errors import UserError

FIXTURES = Path(__file__).parent / "fixtures"
COCO_IDS = [397133, 37777, 252219, 87038, 174482, 403385, 6818, 480985, 458054, 331352]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A copy of the fixture, to spoil."""
    return Path(shutil.copytree(FIXTURES / "coco", tmp_path / "coco"))


def opened(root: Path, count: int | None = None, **options: Any) -> AnnotatedFiles:
    dataset = open_coco({"root": str(root), **options}, count, Path)
    assert isinstance(dataset, AnnotatedFiles)
    return dataset


def rewrite(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the annotations."""
    path = root / "annotations" / "instances_val2017.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def test_images_are_in_the_order_of_the_annotations() -> None:
    dataset = opened(FIXTURES / "coco")
    dataset.check()
    assert [dataset.label(index)["image_id"] for index in range(len(dataset))] == COCO_IDS
    assert dataset.file(1) == FIXTURES / "coco" / "val2017" / "000000037777.jpg"
    assert dataset.sample(1)[0].tobytes() == dataset.file(1).read_bytes()


def test_a_label_is_what_the_metric_needs() -> None:
    label = opened(FIXTURES / "coco").label(0)
    assert (label["height"], label["width"]) == (160, 240)
    assert len(label["categories"]) == 80
    assert label["categories"][-1] == 90
    assert {tuple(annotation) for annotation in label["annotations"]} == {
        ("id", "category_id", "bbox", "area", "iscrowd")
    }


def test_openimages_lie_in_their_own_layout() -> None:
    dataset = open_openimages({"root": str(FIXTURES / "openimages")}, None, Path)
    assert isinstance(dataset, AnnotatedFiles)
    assert dataset.file(0).relative_to(FIXTURES) == Path("openimages/validation/data/0001eeaf4aed83f9.jpg")
    assert len(dataset.label(0)["categories"]) == 264


def test_images_without_annotations_may_be_left_out() -> None:
    assert len(opened(FIXTURES / "coco")) == 10
    dataset = opened(FIXTURES / "coco", annotated_only=True)
    assert [dataset.label(index)["image_id"] for index in range(len(dataset))] == COCO_IDS[:-1]


def test_count_is_of_what_is_used(coco: Path) -> None:
    (coco / "val2017" / "000000331352.jpg").unlink()
    dataset = opened(coco, count=3)
    dataset.check()
    assert len(dataset) == 3


def test_data_dir_is_where_the_images_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(FIXTURES / "coco"))
    assert len(open_coco({}, None, Path)) == 10


def test_without_a_folder_is_said_what_to_put_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR", raising=False)
    for opener, told in (
        (open_coco, ("val2017", "annotations/instances_val2017.json", "cocodataset.org")),
        (open_openimages, ("validation/data", "annotations/openimages-mlperf.json", "openimages_mlperf.sh")),
    ):
        with pytest.raises(UserError) as caught:
            opener({}, None, Path)
        assert all(words in caught.value.remedy for words in told)


def test_another_number_of_images_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UserError, match="lists 10 images, and images is 5000"):
        opened(FIXTURES / "coco", images=5000)
    assert len(opened(FIXTURES / "coco", images=10)) == 10


@pytest.mark.parametrize("content", [None, b"", b"no image", b"\xff\xd8\xff"])
def test_a_missing_or_unreadable_image_is_named(coco: Path, content: bytes | None) -> None:
    path = coco / "val2017" / "000000403385.jpg"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"instances_val2017\.json: image '000000403385\.jpg' cannot be read") as caught:
        opened(coco).check()
    assert caught.value.remedy


def test_a_file_that_vanishes_is_named(coco: Path) -> None:
    dataset = opened(coco)
    dataset.file(0).unlink()
    with pytest.raises(UserError, match=r"image '000000397133\.jpg' cannot be read"):
        dataset.sample(0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(images=[]), "images is empty"),
        (lambda d: d.pop("annotations"), "has no list 'annotations'"),
        (lambda d: d["images"].append("x"), r"images\[10\] is 'x'"),
        (lambda d: d["images"][2].pop("height"), r"images\[2\] has None for 'height'"),
        (lambda d: d["images"].append(d["images"][0]), "two images have the id 397133"),
        (lambda d: d["annotations"][1].update(category_id=12), r"annotations\[1\] has the category 12"),
        (lambda d: d["annotations"][1].update(bbox=[1, 2, 3]), r"annotations\[1\] has the box \[1, 2, 3\]"),
        (lambda d: d["annotations"][0].pop("area"), r"annotations\[0\] has None for 'area'"),
    ],
)
def test_what_is_wrong_with_annotations_is_named(
    coco: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    rewrite(coco, change)
    with pytest.raises(UserError, match=said) as caught:
        opened(coco)
    assert "instances_val2017.json" in caught.value.message


@pytest.mark.parametrize("content", ["", "[1, 2]", "no JSON", "[" * 100_000])
def test_annotations_that_are_none_are_refused(coco: Path, content: str) -> None:
    (coco / "annotations" / "instances_val2017.json").write_text(content, "utf-8")
    with pytest.raises(UserError, match=r"instances_val2017\.json (cannot be read|holds a list)"):
        opened(coco)


def test_annotations_of_images_that_are_not_listed_are_left_out(coco: Path) -> None:
    rewrite(coco, lambda document: document["images"].pop(0))
    assert len(opened(coco)) == 9
