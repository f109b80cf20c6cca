"""The hooks of this plugin; importing it imports neither Pillow nor the packages that carry the pictures."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, ManifestRegistrar, StepRegistrar
from mlharness_vision import image_folder, imagenet, images
from mlharness_vision.steps import classes, crop, decode, layout, normalize, resize


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The steps ``image.*``: sample steps, and ``image.class`` for what comes out."""
    registrar.step(decode.NAME, decode.make_decode, parameters=decode.PARAMETERS)
    registrar.step(resize.NAME, resize.make_resize, parameters=resize.PARAMETERS)
    registrar.step(crop.NAME, crop.make_center_crop, parameters=crop.PARAMETERS)
    registrar.step(normalize.NAME, normalize.make_normalize, parameters=normalize.PARAMETERS)
    registrar.step(layout.NAME, layout.make_layout, parameters=layout.PARAMETERS)
    registrar.step(classes.NAME, classes.make_class, parameters=classes.PARAMETERS, batch=True)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data-set kinds ``images``, ``image-folder`` and ``imagenet``."""
    registrar.dataset("images", open=images.open_images, options=images.OPTIONS)
    registrar.dataset("image-folder", open=image_folder.open_folder, options=image_folder.OPTIONS)
    registrar.dataset("imagenet", open=imagenet.open_imagenet, options=imagenet.OPTIONS)


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The models and data sets that this plugin ships: ``manifests/*/*.yaml``."""
    registrar.folder(Path(__file__).parent / "manifests")
