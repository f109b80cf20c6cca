"""Listed files: what an item must look like, and what is said of one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.file_items import ItemForm, file_sample

FORM = ItemForm("tunes", "title", "text", lambda value: isinstance(value, str))
ITEMS = [{"file": "a.wav", "title": "one"}, {"file": "b.wav", "title": "two"}]


def test_the_first_of_the_items() -> None:
    assert FORM.choose(ITEMS, None) == [("a.wav", "one"), ("b.wav", "two")]
    assert FORM.choose(ITEMS, 1) == [("a.wav", "one")]
    assert FORM.option.doc == "A list of {file: URI or path, title: text}."


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("b.wav", "is 'b.wav'"),
        ({"file": "b.wav", "titel": "two"}, "no key 'titel'"),
        ({"file": "b.wav"}, "no 'title'"),
        ({"file": " ", "title": "two"}, "file is ' '"),
        ({"file": "b.wav", "title": 2}, r"\(b.wav\): title is 2"),
    ],
)
def test_an_item_of_another_form(item: object, told: str) -> None:
    with pytest.raises(UserError, match=rf"data-set kind 'tunes': items\[1\].*{told}"):
        FORM.choose([ITEMS[0], item], 1)  # what is not used is checked, too


@pytest.mark.parametrize(("items", "count"), [([], None), (ITEMS, 0)])
def test_nothing_to_use(items: list[object], count: int | None) -> None:
    with pytest.raises(UserError, match="nothing to use") as raised:
        FORM.choose(items, count)
    assert "{file, title}" in raised.value.remedy


def test_a_sample_is_a_file_s_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x01\x02")
    (sample,) = file_sample(tmp_path / "a", "tune 'a'")
    assert (sample.dtype.name, sample.tolist()) == ("uint8", [1, 2])
    with pytest.raises(UserError, match="tune 'b' cannot be read"):
        file_sample(tmp_path / "b", "tune 'b'")
