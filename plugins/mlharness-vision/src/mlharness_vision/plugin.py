"""The hooks of this plugin; importing it imports neither Pillow nor pycocotools nor the packages of the pictures."""

from __future__ import annotations

from pathlib import Path

from mlharness import hookimpl
from mlharness.registrars import DataSetRegistrar, ManifestRegistrar, MetricRegistrar, StepRegistrar
from mlharness_vision import images, steps
from mlharness_vision.detection import datasets, precision, priors, rows, suppression


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The steps ``image.*`` and ``detection.*``."""
    registrar.step("image.decode", steps.make_decode, parameters=steps.DECODE)
    registrar.step("image.resize", steps.make_resize, parameters=steps.RESIZE)
    registrar.step("image.center-crop", steps.make_center_crop, parameters=steps.CENTER_CROP)
    registrar.step("image.normalize", steps.make_normalize, parameters=steps.NORMALIZE)
    registrar.step("image.layout", steps.make_layout, parameters=steps.LAYOUT)
    registrar.step("detection.decode-boxes", priors.make_decode_boxes, parameters=priors.DECODE, batch=True)
    registrar.step("detection.nms", suppression.make_nms, parameters=suppression.NMS)
    registrar.step("detection.coco-rows", rows.make_coco_rows, parameters=rows.ROWS, batch=True)


@hookimpl
def mlh_register_datasets(registrar: DataSetRegistrar) -> None:
    """The data-set kinds ``images``, ``coco`` and ``openimages``."""
    registrar.dataset("images", open=images.open_images, options=images.OPTIONS)
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
    """Models and data sets that the plugin ships, and those of the MLPerf suite."""
    registrar.folder(Path(__file__).parent / "manifests")
