"""The data set BraTS 2019 as MLPerf v0.7 to v1.1 preprocessed it, in .npz files in the place of its pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Array, Arrays, Option

_WHAT = "data set 'brats'"
_SOURCE = "made by scripts/convert_brats.py of mlharness-medical from what MLPerf's 3d-unet-brats19 preprocessed"
LIST = "cases.txt"
OPTIONS = (ROOT, Option("cases", "array", f"Names of cases; left out, those of the file {LIST}, in its order."))
FORM = {"image": 4, "label": 3, "low": 1, "size": 1}
"""The arrays of a case's file, and how many axes each has."""


@dataclass(frozen=True)
class Brats:
    """One .npz file a case; nothing is held. See :class:`mlharness.providers.DataSet`."""

    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    def check(self) -> None:
        """Look at every header. Raises UserError naming the first file that is missing, damaged or of another form."""
        for path in self.files:
            check_form(path)

    def sample(self, index: int) -> Arrays:
        """The four modalities, float32 [4, d, h, w], padded to the model's size."""
        return (read(self.files[index], "image").astype(np.float32, copy=False),)

    def label(self, index: int) -> dict[str, Array]:
        """``label``, uint8 [z, y, x] (1 oedema, 2 non-enhancing, 3 enhancing), and how the image lies in it.

        ``low`` is the first voxel that was cut out, ``size`` how many were, and ``padded`` what they were padded to:
        each int [3].
        """
        path = self.files[index]
        found = {name: read(path, name) for name in ("label", "low", "size")}
        return {**found, "padded": np.array(shape_of(path, "image")[1:])}


def open_brats(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Brats:
    """Find the first ``count`` of the cases (None: all). Raises UserError when the folder or its list is not there."""
    given = resolve_options(_WHAT, OPTIONS, options)
    root = data_root(given["root"], _WHAT, [LIST] if given["cases"] is None else [], _SOURCE)
    names = given["cases"] if given["cases"] is not None else (root / LIST).read_text("utf-8").split()
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name or Path(name).name != name:
            raise UserError(f"{_WHAT}: cases[{place}] is {name!r}", "Write the name of a case, without .npz.")
    return Brats(tuple(root / f"{name}.npz" for name in names[:count]))


def read(path: Path, name: str) -> Array:
    """One array of a file. Raises UserError when it is not there, damaged or pickled."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: Array = arrays[name]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {name!r} cannot be read: {error}", f"It is {_SOURCE}.") from error
    return found


def shape_of(path: Path, name: str) -> tuple[int, ...]:
    """The shape of one array, from its header alone."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            version = np.lib.format.read_magic(member)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape: tuple[int, ...] = read_header(member)[0]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {name!r} cannot be read: {error}", f"It is {_SOURCE}.") from error
    return shape


def check_form(path: Path) -> None:
    """Raise UserError unless a file has the four arrays, each with its number of axes."""
    for name, axes in FORM.items():
        shape = shape_of(path, name)
        if len(shape) != axes:
            raise UserError(f"{path}: {name!r} is {list(shape)}, and must have {axes} axes", f"It is {_SOURCE}.")
