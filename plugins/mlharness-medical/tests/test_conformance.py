"""Data sets, steps, the metric and the wrapped framework hold to the contract."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from conftest import DATA, write_stand_in
from logs import noisy_scores
from mlharness_medical.brats import open_brats

from mlharness.providers import Array, Arrays, Model, TensorSpec
from mlharness.testing import DataSetConformance, FrameworkConformance, MetricConformance, StepConformance
from mlharness.testing.effort import lines_run

SMALL: Mapping[str, Any] = {"window": [16, 16, 16], "overlap": 0.5}
CASES = ["case_00000", "case_00003", "case_00400"]


class TestKits19(DataSetConformance):
    dataset = "kits19"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(DATA / "kits19"), "cases": CASES, **SMALL}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        good = self.make_options(folder)
        for case in ("case_1", "case_2", "case_3"):
            shutil.copytree(DATA / "kits19" / "case_00000", folder / case)
        (folder / "case_1" / "imaging.nii.gz").write_bytes(b"no NIfTI")
        (folder / "case_2" / "segmentation.nii.gz").unlink()
        shutil.copy(DATA / "kits19" / "case_00003" / "segmentation.nii.gz", folder / "case_3")
        wrong = [{**good, "root": str(folder), "cases": [case]} for case in ("case_1", "case_2", "case_3")]
        return [
            *wrong, {}, {"root": str(folder)}, {**good, "cases": ["../kits19"]}, {**good, "cases": ["case_00001"]},
            {**good, "spacing": [1, 2]}, {**good, "window": [0, 1, 1]}, {**good, "overlap": 1.0},
        ]  # fmt: skip


class TestKits19Preprocessed(DataSetConformance):
    dataset = "kits19"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(DATA / "kits19-preprocessed"), "layout": "preprocessed", "cases": CASES}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        return [{"root": str(DATA / "kits19"), "layout": "preprocessed"}]


class TestBrats(DataSetConformance):
    dataset = "brats"
    count = 2

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {"root": str(DATA / "brats")}

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        (folder / "text.npz").write_text("no arrays", "utf-8")
        np.savez(folder / "flat.npz", image=np.zeros(3), label=np.zeros(3), low=np.zeros(3), size=np.zeros(3))
        np.savez(folder / "part.npz", image=np.zeros((4, 2, 2, 2)))
        return [
            {"root": str(folder)},
            *({"root": str(folder), "cases": [case]} for case in ("text", "flat", "part", "missing", "../x")),
        ]


@cache
def brats_label(index: int) -> Any:
    """A label of the fixtures, read once."""
    return open_brats({"root": str(DATA / "brats")}, None, Path).label(index)


class OnVolumes(StepConformance):
    """A step on a volume."""

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(1).integers(-200, 400, (9, 14, 20)).astype(np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros(5, np.float32),)]


class TestResample(OnVolumes):
    step = "volume.resample"
    parameters: Mapping[str, Any] = {"spacing": [1.5, 1.0, 1.0]}
    gives = (("float32", (18, 11, 16)),)
    bad_parameters = ({"spacing": [1.0]}, {"spacing": [0, 1, 1]}, {"spacing": ["a", 1, 1]})

    def make_arrays(self) -> Arrays:
        return (super().make_arrays()[0].astype(np.int16), np.array([3.0, 0.8, 0.8]))

    def bad_arrays(self) -> Sequence[Arrays]:
        return [super().make_arrays(), (np.zeros((2, 2)), np.ones(3))]


class TestNormalize(OnVolumes):
    step = "volume.normalize"
    parameters: Mapping[str, Any] = {"low": -79, "high": 304, "mean": 101, "std": 76.9}
    gives = (("float32", (9, 14, 20)),)
    bad_parameters = ({}, {"low": 1, "high": 0}, {"low": 0, "high": 1, "std": 0})

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.array(["text"]),)]


class TestFit(OnVolumes):
    step = "volume.fit"
    parameters: Mapping[str, Any] = {"window": [8, 8, 8], "overlap": 0.5, "fill": -2.2}
    gives = (("float32", (8, 16, 20)),)
    bad_parameters = ({"window": [8]}, {"window": [8, 8, True]}, {"overlap": 1}, {"overlap": 0.999})


class TestAddChannel(OnVolumes):
    step = "volume.add-channel"
    gives = (("float32", (1, 9, 14, 20)),)


class TestArgmax(StepConformance):
    step = "volume.argmax"
    gives = (("uint8", (4, 24)),)

    def make_arrays(self) -> Arrays:
        return (np.random.default_rng(1).normal(0, 1, (4, 3, 2, 3, 4)).astype(np.float32),)

    def bad_arrays(self) -> Sequence[Arrays]:
        return [(np.zeros((4, 3), np.float32),)]


class TestDiceOfKits19(MetricConformance):
    metric = "dice"
    expected = (2 / 3 + 1 + 0.8 + 1) / 4  # of kidney and tumour, twice; 1 where nobody has any tumour

    def make_responses(self) -> Mapping[int, Array]:
        return {0: np.array([1, 1, 0, 2], np.uint8), 1: np.array([1, 1, 0, 0], np.uint8)}

    def label(self, index: int) -> Any:
        return np.array([[[1, 0, 0, 2]], [[1, 1, 1, 0]]][index], np.uint8)[:, None]

    tolerance = 1e-6


class TestDiceOfBrats(MetricConformance):
    metric = "dice"
    most_lines = 150  # a case is a volume of eight million voxels
    options: Mapping[str, Any] = {"task": "brats"}
    expected = (0.7559 + 0.5310 + 0.2531) / 3  # by the official script, as test_dice says

    def make_responses(self) -> Mapping[int, Array]:
        return {index: noisy_scores(self.label(index), index).ravel() for index in range(2)}

    def label(self, index: int) -> Any:
        return brats_label(index)


class TestWindows(FrameworkConformance):
    framework = "onnxruntime+slide"
    options: Mapping[str, Any] = {"window": [8, 8, 8]}

    def make_model(self, folder: Path) -> Model:
        return Model("small", (write_stand_in(folder / "small.onnx", 8),))

    def wrong_batches(self, inputs: Sequence[TensorSpec], count: int) -> Sequence[dict[str, Array]]:
        shapes: tuple[tuple[int, ...], ...] = (
            (count, 2, 8, 8, 8),
            (count, 8, 8, 8),
            (count, 1, 9, 8, 8),
            (count, 1, 4, 8, 8),
        )
        return [{"input": np.zeros(shape, np.float32)} for shape in shapes]

    def test_overhead_does_not_grow_with_the_batch(self, tmp_path: Path) -> None:
        """It does, since each window is a call of its own: a few lines for each, beside millions of voxels."""
        with self.loaded(tmp_path) as predictor:
            lines = [
                lines_run(partial(predictor.predict, self.make_batch(predictor.inputs, count)), "mlharness_medical")
                for count in (1, 9)
            ]
        assert lines[0] < self.most_lines
        assert lines[1] < 9 * self.most_lines
