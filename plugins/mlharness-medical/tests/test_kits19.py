"""KiTS19: the steps make of raw cases what MLPerf's preprocessing makes of them.

tests/data/kits19-preprocessed is what preprocess.py of mlcommons/inference (in vision/medical_imaging/3d-unet-kits19)
wrote for tests/data/kits19 and a copy of case_00185 named case_00400, with ROI_SHAPE = [16, 16, 16] and these cases in
meta/inference_cases.json, and scipy's zoom under its name of today. WHOLE are figures of what it wrote with its own
windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlharness_medical import geometry, steps
from mlharness_medical.kits19 import CASES, OPTIONS, open_kits19

from mlharness.errors import UserError
from mlharness.options import resolve_options
from mlharness.providers import Array, Arrays

NAMES = ["case_00000", "case_00003", "case_00400"]
WHOLE = (
    (-2.01620652317661, 0.35812834220945766, [2095610, 1382, 160]),
    (-2.0426434093779733, 0.3927220869423154, [2095771, 1242, 139]),
    (-1.9347970313361573, 0.39608952366436045, [2095766, 1260, 126]),
)
"""Mean and deviation of each volume of 128 voxels a side, and how many voxels have each class."""


def opened(root: Path, **options: Any) -> Any:
    return open_kits19({"root": str(root), "cases": NAMES, **options}, None, Path)


def preprocessed(arrays: Arrays, window: list[int]) -> Array:
    """A raw sample after the steps of the manifest mlperf-3d-unet, but for the channel."""
    for step in (
        steps.make_resample(),
        steps.make_normalize(-79.0, 304.0, 101.0, 76.9),
        steps.make_fit(window, 0.5, -2.2),
    ):
        found = step(arrays, {})
        arrays = found if isinstance(found, tuple) else (found,)
    return arrays[0]


def test_raw_cases_become_the_official_ones(data: Path) -> None:
    raw = opened(data / "kits19", window=[16, 16, 16])
    official = opened(data / "kits19-preprocessed", layout="preprocessed")
    for index in range(len(NAMES)):
        found, (wanted,) = preprocessed(raw.sample(index), [16, 16, 16]), official.sample(index)
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(raw.label(index), official.label(index))


def test_mlperfs_own_windows(data: Path) -> None:
    raw = opened(data / "kits19")
    for index, (mean, deviation, classes) in enumerate(WHOLE):
        found = preprocessed(raw.sample(index), [128, 128, 128])
        assert found.shape == (128, 128, 128)
        assert (found.mean(dtype=float), found.std(dtype=float)) == pytest.approx((mean, deviation), abs=1e-6)
        assert np.bincount(raw.label(index).ravel()).tolist() == classes


def test_it_has_mlperfs_cases_and_takes_the_first(data: Path) -> None:
    assert len(CASES) == len(set(CASES)) == 43
    assert len(open_kits19({"root": str(data / "kits19")}, 2, Path)) == 2
    assert resolve_options("kits19", OPTIONS, {})["layout"] == "raw"


def test_the_folder_may_come_from_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="nobody says where its files are") as caught:
        open_kits19({}, None, Path)
    assert "https://github.com/neheller/kits19" in caught.value.remedy
    monkeypatch.setenv("DATA_DIR", str(data / "kits19"))
    open_kits19({}, 2, Path).check()


def test_what_is_missing_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no case_00000") as caught:
        open_kits19({"root": str(tmp_path)}, None, Path)
    assert "imaging.nii.gz" in caught.value.remedy
    with pytest.raises(UserError, match=r"there is no .*case_00005.imaging\.nii\.gz"):
        open_kits19({"root": str(data / "kits19")}, None, Path)


@pytest.mark.parametrize(("size", "wanted"), [(60, 128), (128, 128), (159, 128), (160, 192), (200, 192), (230, 256)])
def test_sides_become_whole_steps_of_mlperfs_windows(size: int, wanted: int) -> None:
    """Less than 32 voxels too many are cut off, as preprocess.py says, and the rest is filled up."""
    assert geometry.fitted(np.ones((size, 2, 2)), (128, 2, 2), 0.5, 0.0).shape[0] == wanted


@pytest.mark.parametrize("size", [3, 8, 9, 11, 12, 13, 15, 16, 23, 37])
def test_fitted_volumes_are_covered_by_windows(size: int) -> None:
    found = geometry.fitted(np.arange(size**3, dtype=float).reshape(size, size, size), (8, 8, 8), 0.5, -1.0)
    seen = np.zeros(found.shape, bool)
    for first, second, third in geometry.starts(found.shape, (8, 8, 8), 0.5):
        seen[first : first + 8, second : second + 8, third : third + 8] = True
    assert seen.all()
    with pytest.raises(UserError, match="do not cover a volume"):
        geometry.starts((9, 8, 8), (8, 8, 8), 0.5)
