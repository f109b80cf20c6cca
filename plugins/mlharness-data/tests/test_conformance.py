"""The data-set kinds and the metrics hold to the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from files import write_csv, write_folder, write_jsonl, write_npz, write_parquet

from mlharness.providers import Array
from mlharness.testing import DataSetConformance, MetricConformance

COLUMNS: Mapping[str, Any] = {"columns": [["age", "height"], "word"], "label": "label"}


class OfRecords(DataSetConformance):
    """One format."""

    dataset = "records"
    count = 3
    file = ""
    write: Callable[..., Path]

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        type(self).write(folder / self.file)
        return {"file": self.file, **COLUMNS}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        good = self.make_options(folder)
        damaged = folder / f"damaged-{self.file}"
        damaged.write_bytes(b'"\xff\n{')
        changed: tuple[Mapping[str, Any], ...] = (
            {"file": "missing.csv"}, {"file": damaged.name}, {"columns": ["agee"]}, {"columns": []}, {"label": "agee"},
            {"rows": [2, 9]}, {"rows": [1, 1]}, {"dtypes": ["float32"]}, {"columns": [["age", "word"]]},
            {"dtypes": ["object", None]}, {"columns": [3]}, {"columns": ["word"], "dtypes": ["int32"]},
        )  # fmt: skip
        return [{**good, **change} for change in changed]


class TestCsv(OfRecords):
    file = "rows.csv"
    write = write_csv


class TestJsonl(OfRecords):
    file = "rows.jsonl"
    write = write_jsonl


class TestParquet(OfRecords):
    file = "rows.parquet"
    write = write_parquet


class TestNumpy(DataSetConformance):
    dataset = "numpy"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        write_npz(folder / "rows.npz")
        return {"file": "rows.npz", "label": "truth"}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "words.npz").write_text("no arrays", "utf-8")
        np.save(folder / "four.npy", np.zeros(4))
        np.savez(folder / "pickled.npz", rows=np.array([{}, {}, {}]))
        return [
            {}, {"file": "missing.npz"}, {"file": "words.npz"}, {"file": "pickled.npz"}, {"label": "four.npy"},
            {"file": "rows.npz", "label": "truht"}, {"file": "rows.npz", "label": "four.npy"}, {"inputs": [3]},
        ]  # fmt: skip


class TestMapped(DataSetConformance):
    dataset = "numpy"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        np.save(folder / "images.npy", np.arange(12, dtype=np.uint8).reshape(3, 4))
        np.save(folder / "labels.npy", np.array([2, 0, 1]))
        return {"file": "images.npy", "label": "labels.npy"}


class TestHuggingFace(DataSetConformance):
    dataset = "huggingface"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        if not (folder / "rows").exists():
            write_folder(folder / "rows")
        return {"folder": "rows", **COLUMNS}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        good = self.make_options(folder)
        (folder / "empty").mkdir()
        return [
            {**good, **change}
            for change in ({"folder": "missing"}, {"folder": "empty"}, {"path": "a/b"}, {"columns": ["x"]})
        ]


class TestAuc(MetricConformance):
    metric = "auc"
    expected = 75.0

    def make_responses(self) -> Mapping[int, Array]:
        return {index: np.array([score], np.float32) for index, score in enumerate((0.9, 0.4, 0.6, 0.1))}

    def label(self, index: int) -> Any:
        return (1, 1, 0, 0)[index]


class TestMse(MetricConformance):
    metric = "mse"
    expected = 1.5

    def make_responses(self) -> Mapping[int, Array]:
        return {index: np.array([value], np.float32) for index, value in enumerate((1, 2, 3, 6))}

    def label(self, index: int) -> Any:
        return (1, 3, 4, 4)[index]
