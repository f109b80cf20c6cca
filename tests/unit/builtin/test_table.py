"""Tables: each row a sample and its label; a file or an option that does not fit is the user's to mend."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.table import OPTIONS, TableDataSet, open_table
from mlharness.errors import UserError
from mlharness.options import resolve_options

TEXT = "1,2,3,4,0\n5,6,7,8,1\n9,10,11,12,2\n"
Open = Callable[..., TableDataSet]


@pytest.fixture
def open_(tmp_path: Path) -> Open:
    """``open_(text or bytes, count, **options)``, of samples of four unless told otherwise."""

    def open_it(
        content: str | bytes = TEXT, count: int | None = None, name: str = "t.csv", **given: Any
    ) -> TableDataSet:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        options = resolve_options("data set 't'", OPTIONS, {"file": name, "shape": [4], **given})
        return open_table(options, count, lambda source: tmp_path / source)

    return open_it


def values(dataset: TableDataSet) -> list[tuple[Any, int]]:
    return [(dataset.sample(index)[0].tolist(), dataset.label(index)) for index in range(len(dataset))]


def test_rows_and_labels(open_: Open) -> None:
    assert values(open_()) == [([1, 2, 3, 4], 0), ([5, 6, 7, 8], 1), ([9, 10, 11, 12], 2)]
    assert open_().sample(0)[0].dtype == np.float32
    assert type(open_().label(0)) is int


def test_compressed(open_: Open) -> None:
    assert values(open_(gzip.compress(TEXT.encode()), name="t.csv.gz")) == values(open_())


@pytest.mark.parametrize(("column", "labels"), [(0, [1, 5, 9]), (2, [3, 7, 11]), (4, [0, 1, 2]), (-5, [1, 5, 9])])
def test_the_label_may_stand_in_any_column(open_: Open, column: int, labels: list[int]) -> None:
    dataset = open_(label_column=column)
    assert [dataset.label(index) for index in range(3)] == labels
    left = [value for place, value in enumerate([1, 2, 3, 4, 0]) if place != column % 5]
    assert dataset.sample(0)[0].tolist() == left


def test_shape_and_dtype(open_: Open) -> None:
    (sample,) = open_(shape=[1, 2, 2], dtype="uint8").sample(1)
    assert (sample.dtype.name, sample.tolist()) == ("uint8", [[[5, 6], [7, 8]]])


@pytest.mark.parametrize(
    ("rows", "count", "labels"),
    [
        (None, 2, [0, 1]),
        ([1, 3], None, [1, 2]),
        ([1, 3], 1, [1]),
        ([0, 0], None, []),
        (None, 99, [0, 1, 2]),
        ([2, 3], 99, [2]),
    ],
)
def test_parts_of_a_table(open_: Open, rows: Any, count: int | None, labels: list[int]) -> None:
    assert [label for _, label in values(open_(count=count, rows=rows))] == labels


def test_one_row_is_a_table(open_: Open) -> None:
    assert values(open_("1,2,3,4,5\n")) == [([1, 2, 3, 4], 5)]


@pytest.mark.parametrize("rows", [[1], [2, 1], [-1, 2], [0, 4], ["0", "1"], [0, 1, 2]])
def test_rows_that_are_not_there(open_: Open, rows: Any) -> None:
    with pytest.raises(UserError, match=r"t\.csv has 3 rows"):
        open_(rows=rows)


@pytest.mark.parametrize(
    "content",
    ["a,b,c,d,label\n1,2,3,4,0\n", "1,2,3,4,0\n1,2\n", b"\xff\xfe\x00\x01", "1;2;3;4;0\n"],
    ids=["heading", "short row", "binary", "semicolons"],
)
def test_what_is_no_table_of_numbers(open_: Open, content: str | bytes) -> None:
    with pytest.raises(UserError, match=r"t\.csv is no table of numbers"):
        open_(content)


def damaged(data: bytes) -> bytes:
    """The same with other bytes in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 9]) + data[middle + 9 :]


@pytest.mark.parametrize("spoil", [lambda data: data[: len(data) // 2], lambda data: b"not gzip at all", damaged])
def test_a_compressed_file_that_is_damaged(open_: Open, spoil: Callable[[bytes], bytes]) -> None:
    noise = np.random.default_rng(1).integers(0, 9, (300, 5))
    whole = gzip.compress("\n".join(",".join(map(str, row)) for row in noise).encode())
    with pytest.raises(UserError, match=r"is no table of numbers"):
        open_(spoil(whole), name="t.csv.gz")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    options = resolve_options("data set 't'", OPTIONS, {"file": "t.csv", "shape": [4]})
    with pytest.raises(UserError, match="is no table of numbers"):
        open_table(options, None, lambda source: tmp_path / source)


@pytest.mark.parametrize(
    "options", [{"shape": [3]}, {"shape": [2, 3]}, {"label_column": 5}, {"label_column": -6}, {"dtype": "flaot32"}]
)
def test_options_that_do_not_fit_the_columns(open_: Open, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="5 columns do not fit the options") as caught:
        open_(**options)
    assert caught.value.remedy


@pytest.mark.parametrize("label", ["0.5", "nan", "inf"])
def test_a_label_that_is_no_whole_number_is_not_rounded(open_: Open, label: str) -> None:
    with pytest.raises(UserError, match=rf"the label of sample 1 is {label}"):
        open_(f"1,2,3,4,0\n1,2,3,4,{label}\n1,2,3,4,-2\n")


def test_negative_labels_and_those_written_as_floats(open_: Open) -> None:
    dataset = open_("1,2,3,4,-1\n1,2,3,4,2.0\n1,2,3,4,1e3\n")
    assert [dataset.label(index) for index in range(3)] == [-1, 2, 1000]
