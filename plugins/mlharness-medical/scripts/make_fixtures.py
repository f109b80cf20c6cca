"""Makes the small volumes of the tests, from nothing but a seed: python scripts/make_fixtures.py

They have the layouts of KiTS19 (folders of cases with NIfTI files) and of BraTS after scripts/convert_brats.py, and
show nothing: noise, two ellipsoids that stand for a kidney and its tumour, and three nested ones for a brain's tumour.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
KITS19 = {
    "case_00000": ((12, 40, 36), (3.0, 0.8, 0.8)),
    "case_00003": ((19, 24, 30), (1.6, 1.2, 1.2)),
    "case_00185": ((9, 33, 26), (5.0, 0.9, 0.9)),
}
"""Shape and distance of voxels in mm; the second is as MLPerf wants it, so that nothing is resampled."""
BRATS = {"HGG__one": ((20, 18, 16), (3, 2, 1), (14, 13, 11)), "LGG__two": ((20, 18, 16), (1, 1, 1), (15, 15, 10))}
"""Shape of the whole volume, first voxel that was cut out, and how many were."""
PADDED = (16, 16, 12)


def ellipsoid(shape: tuple[int, ...], middle: float, radius: float) -> npt.NDArray[np.bool_]:
    """Voxels nearer to the middle than the radius, both as shares of the sides."""
    axes = np.meshgrid(*(np.linspace(0, 1, side) for side in shape), indexing="ij")
    return np.asarray(sum((axis - middle) ** 2 for axis in axes) < radius**2)


def make_kits19(folder: Path) -> None:
    """Tomographies in Hounsfield units, int16, and labels, uint8."""
    for number, (case, (shape, spacing)) in enumerate(KITS19.items()):
        rng = np.random.default_rng(number)
        kidney, tumour = ellipsoid(shape, 0.5, 0.3), ellipsoid(shape, 0.62, 0.14)
        labels = np.where(tumour, 2, kidney).astype(np.uint8)
        image = (np.array([-60, 120, 60])[labels] + 20 * rng.integers(-3, 4, shape)).astype(np.int16)
        affine = np.diag([*spacing, 1.0])
        (folder / case).mkdir(parents=True, exist_ok=True)
        for name, voxels in (("imaging", image), ("segmentation", labels)):
            nibabel.save(nibabel.Nifti1Image(voxels, affine), folder / case / f"{name}.nii.gz")


def make_brats(folder: Path) -> None:
    """Four modalities of noise, float32, and labels, uint8."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (case, (shape, low, size)) in enumerate(BRATS.items()):
        rng = np.random.default_rng(10 + number)
        label = sum(ellipsoid(shape, 0.5, radius).astype(np.uint8) for radius in (0.3, 0.2, 0.1))
        image = rng.normal(0, 1, (4, *PADDED)).round(1).astype(np.float32)
        np.savez_compressed(folder / f"{case}.npz", image=image, label=label, low=np.array(low), size=np.array(size))
    (folder / "cases.txt").write_text("".join(f"{case}\n" for case in BRATS), "utf-8")


if __name__ == "__main__":
    make_kits19(DATA / "kits19")
    make_brats(DATA / "brats")
