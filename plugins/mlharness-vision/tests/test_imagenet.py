"""The data-set kind ``imagenet`` in both of its layouts."""

from __future__ import annotations

import shutil
from pathlib import Path
from time import process_time

import pytest
from mlharness_vision.imagenet import open_imagenet

from mlharness.errors import UserError
from mlharness.providers import FileDataSet

FIXTURE = Path(__file__).parent / "fixtures" / "imagenet"
NAMES = [f"ILSVRC2012_val_{number:08}.JPEG" for number in range(1, 5)]
LABELS = [281, 967, 698, 872]
WNIDS = {281: "n02123045", 967: "n07920052", 698: "n03877845", 872: "n04485082"}
"""The synsets of those classes: tabby, espresso, palace, tripod."""


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A copy of the fixture, whose list may be spoilt."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "imagenet"))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The fixture as torchvision has it, with the WNIDs of a thousand classes."""
    root = tmp_path / "imagenet"
    for name, label in zip(NAMES, LABELS, strict=True):
        target = root / "val" / WNIDS[label] / name
        target.parent.mkdir(parents=True)
        shutil.copy(FIXTURE / "val" / name, target)
    wnids = [WNIDS.get(label, f"n{label:08}") for label in range(1000)]
    (root / "synsets.txt").write_text("".join(f"{wnid}\n" for wnid in wnids), "ascii")
    return root


def labels(dataset: FileDataSet) -> list[int]:
    return [dataset.label(index) for index in range(len(dataset))]


def names(dataset: FileDataSet) -> list[str]:
    return [dataset.file(index).name for index in range(len(dataset))]


def test_the_list_gives_order_and_classes() -> None:
    dataset = open_imagenet({"root": str(FIXTURE)}, None, Path)
    dataset.check()
    assert (names(dataset), labels(dataset)) == (NAMES, LABELS)
    assert dataset.sample(1)[0].tobytes() == (FIXTURE / "val" / NAMES[1]).read_bytes()


def test_folders_of_synsets_give_the_same(folders: Path) -> None:
    dataset = open_imagenet({"root": str(folders)}, None, Path)
    dataset.check()
    assert (names(dataset), labels(dataset)) == (NAMES, LABELS)


def test_data_dir_is_where_the_images_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(FIXTURE))
    assert len(open_imagenet({}, 3, Path)) == 3


def test_without_a_folder_is_said_what_to_put_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR", raising=False)
    with pytest.raises(UserError, match="ImageNet") as caught:
        open_imagenet({}, None, Path)
    for told in ("val_map.txt", "image-net.org", "val/WNID/*.JPEG", "DATA_DIR"):
        assert told in caught.value.remedy


def test_offset_is_added(folders: Path) -> None:
    for root in (FIXTURE, folders):
        dataset = open_imagenet({"root": str(root), "offset": 1}, None, Path)
        assert labels(dataset) == [label + 1 for label in LABELS]


def test_another_list_may_be_named_and_its_words_parted_by_tabs(listed: Path) -> None:
    (listed / "cal.txt").write_text(f"val/{NAMES[2]}\t698\n\nval/{NAMES[0]}   281\n", "ascii")
    dataset = open_imagenet({"root": str(listed), "list": "cal.txt"}, None, Path)
    assert (names(dataset), labels(dataset)) == ([NAMES[2], NAMES[0]], [698, 281])


def test_count_takes_the_first_and_reads_no_further(listed: Path) -> None:
    (listed / "val_map.txt").write_text(f"val/{NAMES[0]} 281\nnonsense\n", "ascii")
    assert len(open_imagenet({"root": str(listed)}, 1, Path)) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("val/x.JPEG", r"val_map.txt:2: 'val/x.JPEG' is not path and class"),
        ("val/x.JPEG cat", r"val_map.txt:2: the class 'cat' is no whole number"),
        ("val/x.JPEG -1", r"val_map.txt:2: the class '-1' is no whole number"),
        ("val/x.JPEG 1000", r"val_map.txt:2: the class 1000 is none of 0 to 999"),
    ],
)
def test_a_bad_line_is_named(listed: Path, line: str, said: str) -> None:
    (listed / "val_map.txt").write_text(f"val/{NAMES[0]} 281\n{line}\n", "ascii")
    with pytest.raises(UserError, match=said) as caught:
        open_imagenet({"root": str(listed)}, None, Path)
    assert "path class" in caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_list_is_refused(listed: Path, content: bytes) -> None:
    (listed / "val_map.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"val_map.txt has nothing to use"):
        open_imagenet({"root": str(listed)}, None, Path)


def test_a_list_that_is_no_text_is_refused(listed: Path) -> None:
    (listed / "val_map.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"val_map.txt cannot be read"):
        open_imagenet({"root": str(listed)}, None, Path)


@pytest.mark.parametrize("content", [None, b"", b"no image", b"\xff\xd8\xff"])
def test_a_missing_or_unreadable_image_is_named_with_its_line(listed: Path, content: bytes | None) -> None:
    path = listed / "val" / NAMES[2]
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    dataset = open_imagenet({"root": str(listed)}, None, Path)
    with pytest.raises(UserError, match=rf"val_map.txt:3: image 'val/{NAMES[2]}' cannot be read"):
        dataset.check()


def test_a_folder_that_is_no_synset_is_named(folders: Path) -> None:
    (folders / "val" / "n02123045").rename(folders / "val" / "n02123046")
    with pytest.raises(UserError, match=r"val/n02123046 is no synset\nDid you mean 'n02123045'"):
        open_imagenet({"root": str(folders)}, None, Path)


def test_without_synsets_all_folders_must_be_there(folders: Path) -> None:
    synsets = (folders / "synsets.txt").read_text("ascii").split()
    (folders / "synsets.txt").rename(folders / "order.txt")
    with pytest.raises(UserError, match="4 folders, and there are 1000 synsets") as caught:
        open_imagenet({"root": str(folders)}, None, Path)
    assert "synsets.txt" in caught.value.remedy
    assert labels(open_imagenet({"root": str(folders), "synsets": "order.txt"}, None, Path)) == LABELS
    for synset in synsets:
        (folders / "val" / synset).mkdir(exist_ok=True)
    in_order = sorted(synsets)
    expected = [in_order.index(WNIDS[label]) for label in LABELS]
    assert labels(open_imagenet({"root": str(folders)}, None, Path)) == expected


def test_a_folder_without_list_or_synsets_is_refused(listed: Path) -> None:
    (listed / "val_map.txt").unlink()
    with pytest.raises(UserError, match="0 folders, and there are 1000 synsets"):
        open_imagenet({"root": str(listed)}, None, Path)


def test_fifty_thousand_images_are_checked_in_a_moment(listed: Path) -> None:
    """The whole set is listed; the four files stand for all. Seen: 2.3 s; the processor's, whoever else is busy."""
    lines = (listed / "val_map.txt").read_text("ascii") * 12_500
    (listed / "val_map.txt").write_text(lines, "ascii")
    begun = process_time()
    dataset = open_imagenet({"root": str(listed)}, None, Path)
    assert len(dataset) == 50_000
    dataset.check()
    assert process_time() - begun < 30
