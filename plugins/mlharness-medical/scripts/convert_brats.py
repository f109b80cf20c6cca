"""Turns what MLPerf's 3d-unet-brats19 preprocessed into the files that the data set ``brats`` reads.

    python convert_brats.py build/preprocessed_data \
        build/raw_data/nnUNet_raw_data/Task043_BraTS2019/labelsTr OUTPUT

The first folder holds pickles, and whoever made a pickle runs code on the machine that opens it: convert only what you
preprocessed yourself. It needs numpy and nibabel (and whatever the pickles name), not mlharness.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import nibabel
import numpy as np


def convert(preprocessed: Path, labels: Path, output: Path) -> None:
    """Write one .npz file for each case, and cases.txt with their order."""
    output.mkdir(parents=True, exist_ok=True)
    cases = unpickled(preprocessed / "preprocessed_files.pkl")
    for case in cases:
        image, properties = unpickled(preprocessed / f"{case}.pkl")
        scan: Any = nibabel.load(labels / f"{case}.nii.gz")
        label = np.asanyarray(scan.dataobj).astype(np.uint8).T  # nnU-Net's arrays count z first, NIfTI x
        low = [int(start) for start, _ in properties["crop_bbox"]]
        size = [int(side) for side in properties["size_after_cropping"]]
        np.savez(output / f"{case}.npz", image=image.astype(np.float32), label=label, low=low, size=size)
    (output / "cases.txt").write_text("".join(f"{case}\n" for case in cases), "utf-8")


def unpickled(path: Path) -> Any:
    """What a pickle holds."""
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301  # the official layout; the user made the file, and was told


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("preprocessed", "labels", "output"):
        parser.add_argument(name, type=Path)
    convert(**vars(parser.parse_args()))
