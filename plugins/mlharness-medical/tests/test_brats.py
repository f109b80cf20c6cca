"""The files of ``brats`` are what scripts/convert_brats.py makes of MLPerf's pickles."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
from mlharness_medical.brats import FORM, open_brats, read

SCRIPT = Path(__file__).parent.parent / "scripts" / "convert_brats.py"


def test_pickles_of_the_official_layout_become_the_data_sets_files(data: Path, tmp_path: Path) -> None:
    cases = (data / "brats" / "cases.txt").read_text("utf-8").split()
    for folder in ("preprocessed", "labels"):
        (tmp_path / folder).mkdir()
    for case in cases:
        arrays = {name: read(data / "brats" / f"{case}.npz", name) for name in FORM}
        low, size = arrays["low"].tolist(), arrays["size"].tolist()
        box = [[start, start + side] for start, side in zip(low, size, strict=True)]
        properties = {"crop_bbox": box, "size_after_cropping": tuple(size)}
        (tmp_path / "preprocessed" / f"{case}.pkl").write_bytes(pickle.dumps([arrays["image"], properties]))
        image = nibabel.Nifti1Image(arrays["label"].T, np.eye(4))
        nibabel.save(image, tmp_path / "labels" / f"{case}.nii.gz")
    (tmp_path / "preprocessed" / "preprocessed_files.pkl").write_bytes(pickle.dumps(cases))
    folders = [str(tmp_path / name) for name in ("preprocessed", "labels", "converted")]
    subprocess.run([sys.executable, str(SCRIPT), *folders], check=True)

    wanted = open_brats({"root": str(data / "brats")}, None, Path)
    found = open_brats({"root": folders[2]}, None, Path)
    found.check()
    assert [path.name for path in found.files] == [path.name for path in wanted.files]
    for index in range(len(wanted)):
        np.testing.assert_array_equal(found.sample(index)[0], wanted.sample(index)[0])
        assert found.label(index).keys() == wanted.label(index).keys()
        for name, array in wanted.label(index).items():
            np.testing.assert_array_equal(found.label(index)[name], array)
