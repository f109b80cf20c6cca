"""The data set KiTS19: computed tomographies of kidneys, as published, or as MLPerf's preprocessing leaves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Array, Arrays, Option
from mlharness_medical.cases import check_pair, header, voxels
from mlharness_medical.geometry import OVERLAP, SPACING, WINDOW, check_spacing, check_window, fitted, resampled

_NUMBERS = (
    0, 3, 5, 6, 12, 24, 34, 41, 44, 49, 52, 56, 61, 65, 66, 70, 76, 78, 80, 84, 86, 87, 92, 111, 112, 125, 128, 138,
    157, 160, 161, 162, 169, 171, 176, 185, 187, 189, 198, 203, 206, 207, 400,
)  # fmt: skip
CASES = tuple(f"case_{number:05}" for number in _NUMBERS)
"""MLPerf's 43 cases, in its order (meta/inference_cases.json of its 3d-unet-kits19)."""
_COPY = ("case_00400", "case_00185")
"""MLPerf has the first made as a copy of the second; KiTS19 itself ends before it."""
_WHAT = "data set 'kits19'"
_SOURCE = {
    "raw": "from https://github.com/neheller/kits19, CC BY-NC-SA 4.0; folders of cases with imaging.nii.gz and "
    "segmentation.nii.gz",
    "preprocessed": "build/preprocessed_data of MLPerf's 3d-unet-kits19, after its make preprocess_data",
}
OPTIONS = (
    ROOT,
    Option(
        "layout",
        "string",
        "raw: folders of cases as published. preprocessed: what MLPerf's preprocess.py wrote, of which the folder "
        "nifti is read.",
        default="raw",
        choices=("raw", "preprocessed"),
    ),
    Option("cases", "array", "Names of cases, as case_00000; left out, MLPerf's 43."),
    Option(
        "spacing", "array", "raw: what the model's volume.resample makes, for the labels to match.", default=SPACING
    ),
    Option("window", "array", "raw: what the model's volume.fit is told, for the labels to match.", default=WINDOW),
    Option("overlap", "number", "raw: what the model's volume.fit is told, for the labels to match.", default=OVERLAP),
)


@dataclass(frozen=True)
class Kits19:
    """Cases in folders; nothing is held. See :class:`mlharness.providers.DataSet`.

    ``spacing``, ``window`` and ``overlap`` are what raw labels are made to fit; preprocessed ones fit already.
    """

    folders: tuple[Path, ...]
    raw: bool
    spacing: tuple[float, ...]
    window: tuple[int, int, int]
    overlap: float

    def __len__(self) -> int:
        return len(self.folders)

    def check(self) -> None:
        """Look at every header. Raises UserError naming the first file that is missing, damaged or of another shape."""
        for folder in self.folders:
            check_pair(folder / "imaging.nii.gz", folder / "segmentation.nii.gz")

    def sample(self, index: int) -> Arrays:
        """The volume, float32 [d, h, w]; of raw cases also the distance of its voxels, float64 [3] in mm."""
        path = self.folders[index] / "imaging.nii.gz"
        volume = voxels(path, "float32")
        return (volume, header(path)[1]) if self.raw else (volume,)

    def label(self, index: int) -> Array:
        """The class of each voxel, uint8 [d, h, w] in the shape of the preprocessed volume: 1 kidney, 2 tumour."""
        path = self.folders[index] / "segmentation.nii.gz"
        labels = voxels(path, "uint8")
        if not self.raw:
            return labels
        distances = header(self.folders[index] / "imaging.nii.gz")[1].tolist()
        return fitted(resampled(labels, distances, self.spacing, order=0), self.window, self.overlap, 0)


def open_kits19(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Kits19:
    """Find the first ``count`` of the cases (None: all).

    Raises:
        UserError: no folder is named, or it has no folder of a case; names of cases that are none.
    """
    given = resolve_options(_WHAT, OPTIONS, options)
    names = case_names(given["cases"])[:count]
    raw = given["layout"] == "raw"
    inside = "" if raw else "nifti/"
    first = f"{inside}{original(names[0])}" if names else inside or "."
    root = data_root(given["root"], _WHAT, [first], _SOURCE[given["layout"]])
    return Kits19(
        tuple(find_case(root / inside, name) for name in names),
        raw,
        check_spacing(_WHAT, given["spacing"]),
        check_window(_WHAT, given["window"], given["overlap"]),
        given["overlap"],
    )


def case_names(cases: Sequence[Any] | None) -> list[str]:
    """The option ``cases``. Raises UserError for what cannot be the name of a folder in the root."""
    if cases is None:
        return list(CASES)
    for place, name in enumerate(cases):
        if not isinstance(name, str) or not name or Path(name).name != name:
            raise UserError(f"{_WHAT}: cases[{place}] is {name!r}", "Write the name of a case, as case_00000.")
    return list(cases)


def original(name: str) -> str:
    """The case itself, or that of which it is a copy."""
    return _COPY[1] if name == _COPY[0] else name


def find_case(root: Path, name: str) -> Path:
    """A case's folder. Raises UserError when it is not there, or lacks one of its two files."""
    folder = root / name if (root / name).exists() else root / original(name)
    for file in ("imaging.nii.gz", "segmentation.nii.gz"):
        if not (folder / file).is_file():
            raise UserError(
                f"{_WHAT}: there is no {folder / file}",
                "Put all cases there, or name those that are there under cases.",
            )
    return folder
