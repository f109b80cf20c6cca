"""The data-set kind ``records``: what becomes of columns, and how a wrong row is told."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import ROWS, write_csv, write_jsonl, write_parquet
from mlharness_data.records import OPTIONS, open_records

from mlharness.errors import UserError
from mlharness.options import resolve_options

WRITERS = {"rows.csv": write_csv, "rows.jsonl": write_jsonl, "rows.parquet": write_parquet}
Open = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens a file of the test's folder as the runner does."""

    def of(file: str, count: int | None = None, **options: Any) -> Any:
        given = resolve_options("data set 'records'", OPTIONS, {"file": file, **options})
        return open_records(given, count, tmp_path.joinpath)

    return of


@pytest.fixture(params=WRITERS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    WRITERS[request.param](tmp_path / request.param)
    return str(request.param)


def test_each_column_becomes_an_array_of_its_kind(opened: Open, file: str) -> None:
    dataset = opened(file, columns=["age", "height", "word", ["height", "age"]], label="label")
    for index, row in enumerate(ROWS):
        age, height, word, both = dataset.sample(index)
        assert (age.dtype, age.tolist()) == (np.int64, [row["age"]])
        assert (height.dtype, height.tolist()) == (np.float32, [row["height"]])
        assert (word.dtype, word.tobytes().decode()) == (np.uint8, row["word"])
        assert (both.dtype, both.tolist()) == (np.float32, [row["height"], row["age"]])
        assert dataset.label(index) == row["label"]


def test_dtypes_are_the_manifests(opened: Open, file: str) -> None:
    dataset = opened(file, columns=["age", ["age", "height"]], dtypes=["int32", "float16"])
    age, both = dataset.sample(2)
    assert (age.dtype, both.dtype) == (np.int32, np.float16)
    assert dataset.label(0) is None


def test_rows_and_count_choose(opened: Open, file: str) -> None:
    dataset = opened(file, columns=["age"], label="label", rows=[1, 3])
    assert [dataset.sample(index)[0][0] for index in range(len(dataset))] == [4, 65]
    assert dataset.label(0) == 1
    assert len(opened(file, 1, columns=["age"], rows=[1, 3])) == 1


def test_lists_become_arrays_of_their_shape(opened: Open, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": [[1, 2], [3, 4]], "ids": [5], "label": [1, 2]},
        {"image": [[5, 6], [7, 8]], "ids": [], "label": []},
    ]
    for name in ("rows.jsonl", "rows.parquet"):
        WRITERS[name](tmp_path / name, rows)
        dataset = opened(name, columns=["image", "ids"], label="label")
        image, ids = dataset.sample(0)
        assert (image.dtype, image.tolist()) == (np.int64, rows[0]["image"])
        assert (ids.dtype, ids.tolist()) == (np.int64, [5])
        assert (dataset.sample(1)[1].dtype, dataset.sample(1)[1].size) == (np.int64, 0)
        assert dataset.label(0) == [1, 2]


def test_packed_files_and_other_delimiters(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"a;b\n1;x\n\n2;y\n"))
    dataset = opened("rows.csv.gz", columns=["b"], label="a", delimiter=";")
    assert [dataset.sample(1)[0].tobytes(), dataset.label(1)] == [b"y", 2]
    (tmp_path / "rows.tsv").write_text("\ufeffa\tb\n1\tx\n", "utf-8")
    assert opened("rows.tsv", columns=["a"]).sample(0)[0].tolist() == [1]


def test_labels_of_text_and_missing_ones(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,c\n1,cat,1\n2,,\n3,7,2.5\n", "utf-8")
    found = {name: opened("rows.csv", columns=["a"], label=name) for name in ("b", "c")}
    assert [[found[name].label(index) for index in range(3)] for name in found] == [["cat", None, "7"], [1, None, 2.5]]


@pytest.mark.parametrize(
    ("file", "content", "options", "said"),
    [
        ("r.csv", "", {}, r"r\.csv is empty"),
        ("r.csv", "a,b\n", {}, r"r\.csv has no rows to use"),
        ("r.csv", "a,a\n1,2\n", {}, r"r\.csv:1: the column 'a' is there twice"),
        ("r.csv", "a,b\n1,2\n3\n", {}, r"r\.csv:3: 1 fields, and the heading has 2"),
        ("r.csv", "a,b\n1,2\nx,4\n", {}, r"r\.csv:3: column 'a' holds 'x', and must hold a number"),
        ("r.csv", "a,b\n1,2\n,4\n", {}, r"r\.csv:3: column 'a' holds nothing"),
        ("r.csv", 'a,b\n"1\n",2\n"x\n', {}, r"r\.csv:4: no CSV"),
        ("r.csv", "a,b\n1,2\nü,4\n", {"columns": ["b"]}, r"r\.csv:3: not UTF-8"),
        ("r.csv", "aa,b\n1,2\n", {}, r"r\.csv has no column 'a'\nDid you mean 'aa'"),
        ("r.csv", "a,b\n1.5,2\n", {"dtypes": ["int64"]}, r"r\.csv:2: column 'a' holds 1\.5, and must hold what int64"),
        ("r.csv", "a,b\n300,2\n", {"dtypes": ["uint8"]}, r"r\.csv:2: column 'a' holds 300"),
        ("r.csv", f"a,b\n1,2\n{2**70},2\n", {}, r"r\.csv:3: column 'a' holds 11805916.*64 bits"),
        ("r.jsonl", "", {}, r"r\.jsonl has no rows to use"),
        ("r.jsonl", '{"a": 1}\n\n{"a": \n', {}, r"r\.jsonl:3: no JSON"),
        ("r.jsonl", '{"a": 1}\n[1]\n', {}, r"r\.jsonl:2: the line is a list"),
        ("r.jsonl", '{"a": 1}\n{"aa": 1}\n', {}, r"r\.jsonl:2 has no column 'a'\nDid you mean 'aa'"),
        ("r.jsonl", '{"a": 1}\n{"a": "x"}\n', {}, r"r\.jsonl:2: column 'a' holds text, and must hold a number"),
        ("r.jsonl", '{"a": 1}\n{"a": null}\n', {}, r"r\.jsonl:2: column 'a' holds nothing"),
        ("r.jsonl", '{"a": [1]}\n{"a": [[1], [2, 3]]}\n', {}, r"r\.jsonl:2: column 'a' holds a list that is ragged"),
        ("r.jsonl", '{"a": {}}\n', {}, r"r\.jsonl:1: column 'a' holds a dict"),
        ("r.jsonl.gz", "no gzip", {}, r"r\.jsonl\.gz cannot be read"),
        ("r.parquet", "no Parquet", {}, r"r\.parquet is no Parquet file"),
        ("r.txt", "a\n1\n", {}, r"r\.txt: nothing says what kind of file it is"),
        ("r.csv", "a,b\n1,2\n", {"delimiter": "::"}, r"delimiter is '::'"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(
    opened: Open, tmp_path: Path, file: str, content: str, options: dict[str, Any], said: str
) -> None:
    (tmp_path / file).write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=said) as caught:
        opened(file, **{"columns": ["a"], **options})
    assert caught.value.remedy


def test_parquet_names_the_row_without_a_value_and_the_type_it_cannot_use(opened: Open, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {"a": [1, None], "b": pyarrow.array([1, 2], pyarrow.timestamp("s"))}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "r.parquet")
    with pytest.raises(UserError, match=r"r\.parquet: row 1: column 'a' holds nothing"):
        opened("r.parquet", columns=["a"])
    with pytest.raises(UserError, match=r"column 'b' is of type timestamp"):
        opened("r.parquet", columns=["b"])


def test_categories_of_parquet_are_their_values(opened: Open, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    column = pyarrow.array(["cat", "dog", "cat"]).dictionary_encode()
    pyarrow.parquet.write_table(pyarrow.table({"a": column}), tmp_path / "r.parquet")
    dataset = opened("r.parquet", columns=["a"], label="a")
    assert [dataset.sample(index)[0].tobytes() for index in range(3)] == [b"cat", b"dog", b"cat"]
    assert dataset.label(1) == "dog"


def test_without_pyarrow_the_command_is_told(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'mlharness-data\[parquet\]'"):
        opened("r.parquet", columns=["a"])
