"""The data-set kinds ``speech`` and ``librispeech``: what they give, and what they say of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import CLIP
from corpus import SAID, tone, write_list, write_split
from mlharness_speech.clips import Clips, open_clips
from mlharness_speech.librispeech import OPTIONS, open_librispeech

from mlharness.errors import UserError
from mlharness.options import resolve_options

Broken = Callable[[Path], object]


def opened(count: int | None = None, **options: Any) -> Clips:
    return open_librispeech(resolve_options("data set 'librispeech'", OPTIONS, options), count, Path)


def test_clips_are_bytes_words_and_files(tmp_path: Path) -> None:
    dataset = open_clips({"items": [{"file": str(CLIP), "text": "Close the door."}]}, None, Path)
    dataset.check()
    (data,) = dataset.sample(0)
    assert (data.dtype.name, data.tobytes()) == ("uint8", CLIP.read_bytes())
    assert (dataset.label(0), dataset.file(0), len(dataset)) == ("Close the door.", CLIP, 1)


def test_count_takes_the_first_and_locates_no_others() -> None:
    asked = []

    def locate(source: str) -> Path:
        asked.append(source)
        return CLIP

    items = [{"file": name, "text": "a"} for name in ("one", "two")]
    assert len(open_clips({"items": items}, 1, locate)) == 1
    assert asked == ["one"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("a.flac", r"items\[0\] is 'a.flac'"),
        ({"file": "a.flac", "txt": "a"}, r"items\[0\] has no key 'txt'"),
        ({"file": "a.flac"}, r"items\[0\] has no 'text'"),
        ({"file": "a.flac", "text": " "}, r"items\[0\] \(a\.flac\): text is ' '"),
        ({"file": 3, "text": "a"}, r"items\[0\]: file is 3"),
    ],
)
def test_a_wrong_item_is_named(item: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        open_clips({"items": [item]}, None, Path)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"", "cannot be read"), (b"no sound", "cannot be read")]
)
def test_check_names_a_file_that_is_no_sound(tmp_path: Path, content: bytes | None, said: str) -> None:
    broken = tmp_path / "a.flac"
    if content is not None:
        broken.write_bytes(content)
    dataset = open_clips({"items": [{"file": "a.flac", "text": "a"}]}, None, tmp_path.joinpath)
    with pytest.raises(UserError, match=f"sound 'a.flac' {said}"):
        dataset.check()


def test_check_names_a_file_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    with pytest.raises(UserError, match=r"sound 'a.wav' holds no samples"):
        open_clips({"items": [{"file": "a.wav", "text": "a"}]}, None, tmp_path.joinpath).check()


@pytest.mark.parametrize("inside", ["", "LibriSpeech"])
def test_a_split_as_it_is_distributed(tmp_path: Path, inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_split(tmp_path / inside / "dev-clean")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    dataset = opened(split="dev-clean")
    dataset.check()
    assert [dataset.label(index) for index in range(3)] == list(SAID.values())
    assert [dataset.file(index).stem for index in range(3)] == list(SAID)
    assert len(opened(split="dev-clean", max_duration=0.5)) == 2
    assert len(opened(2, split="dev-clean", samples=3)) == 2


def test_mlperfs_list_in_its_order_without_what_is_long(tmp_path: Path) -> None:
    write_list(tmp_path)
    dataset = opened(root=str(tmp_path), manifest="dev-clean-wav.json", max_duration=15.0, samples=2)
    dataset.check()
    assert [dataset.label(index) for index in range(2)] == ["go do you hear", "no"]
    assert len(opened(root=str(tmp_path), manifest="dev-clean-wav.json")) == 3


def test_names_of_the_machine_that_made_the_list(tmp_path: Path) -> None:
    write_list(tmp_path, "/nowhere/data/", "dev-all-repack.json")
    dataset = opened(root=str(tmp_path), manifest="dev-all-repack.json")
    assert dataset.file(0) == tmp_path / "dev-clean-wav/84/121123/84-121123-0000.wav"


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda f: (f / "84/121550/84-121550.trans.txt").unlink(), "84-121550.trans.txt cannot be read"),
        (lambda f: (f / "84/121550/84-121550-0000.flac").unlink(), "121550 has no 84-121550-0000.flac"),
        (
            lambda f: (f / "84/121123/84-121123.trans.txt").write_text("84-121123-0000 GO\n"),
            "no line for 84-121123-0001",
        ),
        (
            lambda f: (f / "84/121550/84-121550.trans.txt").write_text("84-121550-0000\n"),
            "trans.txt:1 is '84-121550-0000'",
        ),
        (lambda f: (f / "84/121550/84-121550-0000.flac").write_bytes(b"x"), "84-121550-0000.flac' cannot be read"),
        (
            lambda f: soundfile.write(f / "84/121123/84-121123-0002.flac", tone(0.1), 16000),
            "no line for 84-121123-0002",
        ),
    ],
)
def test_what_is_wrong_with_a_split_is_named(tmp_path: Path, breaks: Broken, said: str) -> None:
    folder = tmp_path / "dev-clean"
    write_split(folder)
    breaks(folder)
    with pytest.raises(UserError, match=said):
        opened(root=str(tmp_path), split="dev-clean").check()


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda f: f.write_text("[1"), "is no JSON"),
        (lambda f: f.write_text("{}"), "is no list of clips"),
        (lambda f: f.write_text(json.dumps([{"files": []}])), "entry 0 has not files, transcript"),
        (lambda f: f.write_bytes(b"\xff"), "cannot be read"),
        (
            lambda f: (f.parent / "dev-clean-wav/84/121123/84-121123-0000.wav").unlink(),
            "lists dev-clean-wav/84/121123/84-",
        ),
        (lambda f: f.write_text("[]"), "there are no clips of at most 15 s"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(tmp_path: Path, breaks: Broken, said: str) -> None:
    write_list(tmp_path)
    breaks(tmp_path / "dev-clean-wav.json")
    with pytest.raises(UserError, match=said):
        opened(root=str(tmp_path), manifest="dev-clean-wav.json", max_duration=15.0)


def test_a_wrong_number_of_clips_is_said(tmp_path: Path) -> None:
    write_list(tmp_path)
    with pytest.raises(UserError, match="samples is 2513, and there are 2 clips of at most 15 s"):
        opened(root=str(tmp_path), manifest="dev-clean-wav.json", max_duration=15.0, samples=2513)


def test_where_the_corpus_is_must_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_DIR", raising=False)
    with pytest.raises(UserError, match="nobody says where its files are") as caught:
        opened(split="dev-clean")
    assert "Put dev-clean into one folder (https://www.openslr.org/12" in caught.value.remedy
    with pytest.raises(UserError, match="has no dev-clean"):
        opened(root=str(tmp_path), split="dev-clean")
    with pytest.raises(UserError, match="no split 'dev-cleen'") as misspelt:
        opened(root=str(tmp_path), split="dev-cleen")
    assert "Did you mean 'dev-clean'" in misspelt.value.remedy
    with pytest.raises(UserError, match="either split or manifest"):
        opened(root=str(tmp_path))
