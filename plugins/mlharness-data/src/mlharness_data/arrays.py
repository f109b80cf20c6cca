"""The data-set kind ``numpy``: arrays whose first axis counts the samples, in .npy and .npz files, never pickled."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Array, Arrays, Option
from mlharness_data.cells import text_array
from mlharness_data.selection import ROWS, chosen_rows

_NAMES = "a key of file, when that is .npz, or the URI or path of a .npy file"
OPTIONS = (
    Option("file", "string", "URI or path of a .npy file, the model's only input, or of a .npz file with several."),
    Option(
        "inputs",
        "array",
        f"What makes a sample, one array each: {_NAMES}. Left out: all arrays of file but the label.",
    ),
    Option("label", "string", f"The labels: {_NAMES}; left out, samples have none."),
    ROWS,
)


@dataclass(frozen=True)
class NumpyArrays:
    """Arrays [rows, ...]; those of .npy files are mapped, not read. See :class:`mlharness.providers.DataSet`."""

    inputs: Sequence[Array]
    labels: Array | None
    rows: range

    def __len__(self) -> int:
        return len(self.rows)

    def check(self) -> None:
        """Every file was opened, and every array's form checked, when the data set was opened."""

    def sample(self, index: int) -> Arrays:
        """One row of each array, with the array's dtype; a text of it is UTF-8 bytes, uint8 [bytes]."""
        return tuple(row_of(array, self.rows[index]) for array in self.inputs)

    def label(self, index: int) -> Any:
        """One row of the labels: a number or text, or a list where they have more axes; None without labels."""
        return None if self.labels is None else self.labels[self.rows[index]].tolist()


def row_of(array: Array, row: int) -> Array:
    """A row as an array of its own, which no longer needs the file."""
    if array.dtype.kind in "US":
        value = array[row]
        return text_array(str(value) if array.dtype.kind == "U" else bytes(value))
    return np.array(array[row])


@dataclass
class Files:
    """Finds arrays by their name in the manifest; each file is opened once."""

    file: Path | None
    locate: Callable[[str], Path]
    _archive: Mapping[str, Array] | None = field(default=None, init=False)

    def array(self, name: str) -> Array:
        """The array that ``name`` means. Raises UserError when there is none of that name, or it cannot be used."""
        if name.endswith(".npy"):
            path = self.locate(name)
            return usable(mapped(path), str(path))
        archive = self.archive(name)
        if name not in archive:
            raise UserError(f"{self.file} has no array {name!r}", did_you_mean(name, archive))
        return usable(read_member(archive, name, self.file), f"{self.file}: {name!r}")

    def archive(self, name: str) -> Mapping[str, Array]:
        """The .npz file, opened."""
        if self.file is None or self.file.suffix != ".npz":
            raise UserError(f"{name!r} is no .npy file, and file names no .npz file that could hold it", OPTIONS[0].doc)
        if self._archive is None:
            try:
                self._archive = np.load(self.file, allow_pickle=False)
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                raise UserError(f"{self.file} is no .npz file that can be read: {error}", "Check the file.") from error
        return self._archive

    def close(self) -> None:
        """Close the .npz file, if it was opened."""
        if isinstance(self._archive, np.lib.npyio.NpzFile):
            self._archive.close()


def mapped(path: Path) -> Array:
    """A .npy file as a mapped array. Raises UserError when it is none, or holds pickled objects."""
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no .npy file that can be read: {error}", "Save it with numpy.save.") from error
    return array


def read_member(archive: Mapping[str, Array], name: str, path: Path | None) -> Array:
    """One array of a .npz file, read. Raises UserError for one that is damaged, or holds pickled objects."""
    try:
        return archive[name]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {name!r} cannot be read: {error}", "Save it with numpy.savez.") from error


def usable(array: Any, what: str) -> Array:
    """An array of numbers or text with an axis for the samples. Raises UserError for another."""
    if not isinstance(array, np.ndarray) or array.ndim == 0 or array.dtype.kind not in "biufcUS":
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "several arrays"
        raise UserError(f"{what} is {found}", "It must be numbers or text, and its first axis counts the samples.")
    if array.dtype.kind in "US" and array.ndim > 1:
        raise UserError(f"{what} has {array.ndim} axes of text", "Give one text a sample.")
    return array


def open_arrays(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> NumpyArrays:
    """Open the arrays.

    Raises:
        UserError: no input, an array that is not there or not of numbers, or arrays of different lengths.
    """
    file = None if options["file"] is None else locate(options["file"])
    files = Files(file, locate)
    try:
        inputs = {name: files.array(name) for name in input_names(options, files)}
        labels = None if options["label"] is None else files.array(options["label"])
        if file is not None and file.suffix == ".npy":
            inputs = {options["file"]: usable(mapped(file), str(file)), **inputs}
    finally:
        files.close()
    if not inputs:
        raise UserError("the data set names no array for a sample", "Set file, or inputs.")
    total = same_length(inputs, labels, options["label"])
    return NumpyArrays(list(inputs.values()), labels, chosen_rows(options["rows"], count, total, file or "inputs"))


def input_names(options: Mapping[str, Any], files: Files) -> list[str]:
    """The names of the arrays that make a sample, without a ``file`` that is a single array itself."""
    if options["inputs"] is None:
        if files.file is None or files.file.suffix == ".npy":
            return []
        return [name for name in files.archive(files.file.name) if name != options["label"]]
    for place, name in enumerate(options["inputs"]):
        if not isinstance(name, str) or not name:
            raise UserError(f"inputs[{place}] is {name!r}", "Write the name of an array.")
    return list(options["inputs"])


def same_length(inputs: Mapping[str, Array], labels: Array | None, label: str | None) -> int:
    """How many samples there are. Raises UserError unless every array has as many rows."""
    (first, array), *others = inputs.items()
    total = len(array)
    for name, other in (*others, *([(label, labels)] if labels is not None else [])):
        if len(other) != total:
            role = "labels" if name == label else "array"
            raise UserError(
                f"{first!r} has {total} samples, and the {role} {name!r} has {len(other)}",
                "Give as many rows to each.",
            )
    return total
