"""The hooks of this plugin; importing it imports neither nibabel nor scipy nor a framework."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import (
    DataSetRegistrar,
    FrameworkRegistrar,
    ManifestRegistrar,
    MetricRegistrar,
    StepRegistrar,
)
from mlharness_medical import brats, dice, kits19, steps, windows


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    """``onnxruntime+slide`` and ``torch+slide``, where their plugins are installed."""
    windows.register(registrar)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data sets ``kits19`` and ``brats``."""
    registrar.dataset("kits19", open=kits19.open_kits19, options=kits19.OPTIONS)
    registrar.dataset("brats", open=brats.open_brats, options=brats.OPTIONS)


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The steps ``volume.*``."""
    registrar.step("volume.resample", steps.make_resample, parameters=steps.RESAMPLE)
    registrar.step("volume.normalize", steps.make_normalize, parameters=steps.NORMALIZE)
    registrar.step("volume.fit", steps.make_fit, parameters=steps.FIT)
    registrar.step("volume.add-channel", steps.make_add_channel)
    registrar.step("volume.argmax", steps.make_argmax, batch=True)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    """The metric ``dice``."""
    registrar.metric("dice", score=dice.score, response=dice.response, options=dice.OPTIONS)


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The models ``mlperf-3d-unet`` and ``mlperf-3d-unet-preprocessed``, and the data sets that they name."""
    registrar.folder(Path(__file__).parent / "manifests")
