"""What both data sets share: NIfTI files, read or looked at."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns what a reader raises into a UserError that names the file."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, zlib.error, ImageFileError, HeaderDataError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Replace the file, or leave its case out.") from error


def header(path: Path) -> tuple[tuple[int, ...], Array]:
    """Shape of a NIfTI file, and the distance of its voxels along the first three axes, float64 [3] in mm."""
    import nibabel

    with naming(path):
        image: Any = nibabel.load(path)
        return tuple(image.shape), np.array(image.header["pixdim"][1:4].tolist())


def voxels(path: Path, dtype: str) -> Array:
    """The values of a NIfTI file, in its shape. Raises UserError for a file that is damaged."""
    import nibabel

    with naming(path):
        image: Any = nibabel.load(path)
        found: Array = np.asanyarray(image.dataobj).astype(dtype)
        return found


def check_pair(image: Path, labels: Path) -> None:
    """Raise UserError unless both headers can be read and describe three axes of the same shape."""
    (shape, _), (other, _) = header(image), header(labels)
    if len(shape) != 3 or shape != other:
        raise UserError(
            f"{image} is {list(shape)}, and {labels} is {list(other)}", "Both must be one volume's [d, h, w]."
        )
