"""A manifest in the published format, written for these tests, and a way to change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.reading import read_manifest

MODEL = """\
name: Tiny Net v1.0
framework:
  name: MXNet
  version: 1.8.0
version: 1.0
description: >
  A network that
  does little.
references:
  - https://example.org/tiny
license: Apache License, Version 2.0
modality: image_classification
inputs:
  - type: image
    description: the input image
    parameters:
      element_type: float32
      input_layer: data
      layout: HWC
      color_mode: RGB
      dimensions: [3, 32, 48]
      mean: [123.675, 116.280, 103.530]
      scale: 58.395
outputs:
  - type: classification
    description: the probability
    parameters:
      element_type: float16
model:
  is_archive:
    false
  graph_path: http://example.org/tiny-symbol.json
  graph_checksum: 6590D27d0f9832d93b3d419fe8a4329b
  weights_path: https://example.org/tiny-0000.params
  weights_checksum: 19b9100c6cd0b58221e9e5a1c4156aaa
  features_path: https://example.org/labels.txt
  features_checksum: 4d234b5833aca44928065a180db3016a
preprocess: |
  import numpy as np
  def preprocess(ctx, data):
    return np.load(dataset[int(data)])
postprocess: |
  def postprocess(ctx, data):
    return data[0].tolist()
attributes:
  kind: CNN
  training_dataset: ImageNet
"""
DATASET = """\
name: Tiny_Data
init: |
  def init(count):
    global dataset
    dataset = ['a.npy', 'b.npy']
    return len(dataset)
load: |
  def load(sample_list):
    return
unload: |
  def unload(sample_list):
    return
"""

Published = Callable[..., Path]


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """``published(*(old, new), text=MODEL)``: the file with these pieces of its text replaced."""

    def write(*changes: tuple[str, str], text: str = MODEL) -> Path:
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "published.yml"
        path.write_text(text, "utf-8")
        return path

    return write


def model(path: Path) -> ModelManifest:
    """The file as a model of our format."""
    found = read_manifest(path)
    assert isinstance(found, ModelManifest)
    return found


def dataset(path: Path) -> DataSetManifest:
    """The file as a data set of our format."""
    found = read_manifest(path)
    assert isinstance(found, DataSetManifest)
    return found
