"""The same table as CSV, JSONL, Parquet, NumPy arrays and a folder of datasets."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

ROWS: list[dict[str, Any]] = [
    {"age": 31, "height": 1.5, "word": "cat", "label": 0},
    {"age": 4, "height": 0.75, "word": "Füße", "label": 1},
    {"age": 65, "height": 1.0, "word": "a, b", "label": 1},
]
"""Whole numbers, numbers that float32 holds, and text with what CSV and UTF-8 must mind."""


def write_csv(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """With a heading."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """One object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """Whole numbers as int64, others as float32."""
    import pyarrow
    import pyarrow.parquet

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    kinds = {name: pyarrow.float32() for name, values in columns.items() if isinstance(values[0], float)}
    arrays = {name: pyarrow.array(values, kinds.get(name)) for name, values in columns.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), path)
    return path


def write_npz(path: Path) -> Path:
    """The columns of numbers, and the labels."""
    ages, heights = ([row[name] for row in ROWS] for name in ("age", "height"))
    np.savez(path, ages=np.array(ages), heights=np.array(heights, np.float32), truth=np.array([0, 1, 1]))
    return path


def write_folder(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """By save_to_disk of datasets."""
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_list(rows).save_to_disk(str(path))
    return path
