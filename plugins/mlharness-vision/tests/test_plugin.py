"""What the plugin registers, and what importing it does not do."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

from mlharness.plugins import build_manager

ENTRY = EntryPoint("vision", "mlharness_vision.plugin", "mlharness")


def test_everything_registers_without_an_error() -> None:
    plugins = build_manager(entry_points=[ENTRY])
    assert [plugin.error for plugin in plugins.found] == [""]
    assert plugins.catalog.steps.names() == [
        "detection.coco-rows", "detection.decode-boxes", "detection.nms",
        "image.center-crop", "image.class", "image.decode", "image.layout", "image.normalize", "image.resize",
    ]  # fmt: skip
    assert plugins.catalog.datasets.names() == ["coco", "image-folder", "imagenet", "images", "openimages"]
    assert plugins.catalog.metrics.names() == ["coco-map", "openimages-map"]
    (folder,) = plugins.catalog.manifests
    found = {path.relative_to(folder.provider.path).as_posix() for path in folder.provider.path.rglob("*.yaml")}
    assert found == {
        "models/efficientnet-lite0.yaml", "models/digits-cnn.yaml", "datasets/photos.yaml", "datasets/digits.yaml",
        "models/mlperf-resnet50.yaml", "models/mlperf-mobilenet.yaml", "datasets/imagenet.yaml",
        "models/mlperf-ssd-mobilenet.yaml", "models/mlperf-ssd-resnet34.yaml", "models/mlperf-retinanet.yaml",
        "datasets/coco-2017.yaml", "datasets/openimages-mlperf.yaml",
    }  # fmt: skip


def test_steps_say_their_dtypes_and_what_they_take() -> None:
    for entry in build_manager(entry_points=[ENTRY]).catalog.steps:
        assert entry.provider.doc.startswith("Batch step:" if entry.provider.batch else "Sample step:"), entry.name
        assert not entry.provider.serial


def test_importing_and_registering_imports_no_library_of_images() -> None:
    program = (
        "import sys, importlib.metadata as m; from mlharness.plugins import build_manager;"
        "p = build_manager(entry_points=[m.EntryPoint('vision', 'mlharness_vision.plugin', 'mlharness')]);"
        "assert not p.found[0].error, p.found[0].error;"
        "print(sorted({'PIL', 'cv2', 'pycocotools', 'skimage', 'sklearn', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
