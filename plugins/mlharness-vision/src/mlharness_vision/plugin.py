"""The hooks of this plugin; importing it imports neither Pillow nor the packages that carry the pictures."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, ManifestRegistrar, StepRegistrar
from mlharness_vision import images, steps


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The sample steps ``image.*``."""
    registrar.step("image.decode", steps.make_decode, parameters=steps.DECODE)
    registrar.step("image.resize", steps.make_resize, parameters=steps.RESIZE)
    registrar.step("image.center-crop", steps.make_center_crop, parameters=steps.CENTER_CROP)
    registrar.step("image.normalize", steps.make_normalize, parameters=steps.NORMALIZE)
    registrar.step("image.layout", steps.make_layout, parameters=steps.LAYOUT)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data-set kind ``images``."""
    registrar.dataset("images", open=images.open_images, options=images.OPTIONS)


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The models ``efficientnet-lite0`` and ``digits-cnn``, the data sets ``photos`` and ``digits``."""
    registrar.folder(Path(__file__).parent / "manifests")
