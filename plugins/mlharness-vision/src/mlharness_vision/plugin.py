"""The hooks of this plugin; importing it imports neither Pillow nor pycocotools nor the packages of the pictures."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, ManifestRegistrar, MetricRegistrar, StepRegistrar
from mlharness_vision import image_folder, imagenet, images
from mlharness_vision.detection import datasets, precision, priors, rows, suppression
from mlharness_vision.steps import classes, crop, decode, layout, normalize, resize


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The steps ``image.*`` and ``detection.*``: from a file to an input, and from outputs to a response."""
    registrar.step(decode.NAME, decode.make_decode, parameters=decode.PARAMETERS)
    registrar.step(resize.NAME, resize.make_resize, parameters=resize.PARAMETERS)
    registrar.step(crop.NAME, crop.make_center_crop, parameters=crop.PARAMETERS)
    registrar.step(normalize.NAME, normalize.make_normalize, parameters=normalize.PARAMETERS)
    registrar.step(layout.NAME, layout.make_layout, parameters=layout.PARAMETERS)
    registrar.step(classes.NAME, classes.make_class, parameters=classes.PARAMETERS, batch=True)
    registrar.step(priors.NAME, priors.make_decode_boxes, parameters=priors.PARAMETERS, batch=True)
    registrar.step(suppression.NAME, suppression.make_nms, parameters=suppression.PARAMETERS)
    registrar.step(rows.NAME, rows.make_coco_rows, parameters=rows.PARAMETERS, batch=True)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data-set kinds ``images``, ``image-folder``, ``imagenet``, ``coco`` and ``openimages``."""
    registrar.dataset("images", open=images.open_images, options=images.OPTIONS)
    registrar.dataset("image-folder", open=image_folder.open_folder, options=image_folder.OPTIONS)
    registrar.dataset("imagenet", open=imagenet.open_imagenet, options=imagenet.OPTIONS)
    registrar.dataset("coco", open=datasets.open_coco, options=datasets.OPTIONS)
    registrar.dataset("openimages", open=datasets.open_openimages, options=datasets.OPTIONS)


@hookimpl
def mlh_register_metrics(registrar: MetricRegistrar) -> None:
    """The metrics ``coco-map`` and ``openimages-map``."""
    response, options = precision.rows_response, precision.OPTIONS
    registrar.metric("coco-map", score=precision.score_coco_map, response=response, options=options)
    registrar.metric("openimages-map", score=precision.score_openimages_map, response=response, options=options)


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The models and data sets that this plugin ships: ``manifests/*/*.yaml``."""
    registrar.folder(Path(__file__).parent / "manifests")
