"""An upgraded manifest as text: readable, valid, and the same manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlharness.errors import ManifestError
from mlharness.manifest.documents import DataSetManifest, ModelManifest, Origin
from mlharness.manifest.published.writing import upgrade_file, without_trailing_blanks, write_manifest
from mlharness.manifest.reading import check_manifest, read_manifest
from tests.unit.manifest.published.conftest import DATASET, MODEL, Published

WRITTEN = """\
# Upgraded from the published MLHarness format by `mlh manifest upgrade`.
kind: model
name: tiny-net-v1.0
version: '1.0'
description: A network that does little.
license: Apache License, Version 2.0
modality: image-classification
references: ['https://example.org/tiny']
framework: {name: mxnet, written_for: 1.8.0}
model:
  files:
    - source: http://example.org/tiny-symbol.json
      md5: 6590d27d0f9832d93b3d419fe8a4329b
    - source: https://example.org/tiny-0000.params
      md5: 19b9100c6cd0b58221e9e5a1c4156aaa
inputs:
  - {name: data, dtype: float32, shape: [null, 32, 48, 3]}
preprocess:
  - python:
      source: |
        import numpy as np
        def preprocess(ctx, data):
          return np.load(dataset[int(data)])
      convention: published
postprocess:
  - python:
      source: |
        def postprocess(ctx, data):
          return data[0].tolist()
      convention: published
attributes:
  kind: CNN
  training_dataset: ImageNet
  published:
    name: Tiny Net v1.0
    features_path: https://example.org/labels.txt
    features_checksum: 4d234b5833aca44928065a180db3016a
    inputs:
      - type: image
        description: the input image
        color_mode: RGB
        layout: HWC
        mean: [123.675, 116.28, 103.53]
        scale: 58.395
    outputs:
      - {type: classification, description: the probability, element_type: float16}
"""


def alike(path: Path, text: str, name: str = "upgraded.yaml") -> tuple[str, ...]:
    """The fields in which the manifest of a text differs from that of the published file; it has no problems."""
    other = path.with_name(name)
    other.write_text(text, "utf-8")
    assert check_manifest(other) == []
    one, two = without_places(read_manifest(path)), without_places(read_manifest(other))
    assert type(one) is type(two)
    return tuple(field for field in one.__dataclass_fields__ if getattr(one, field) != getattr(two, field))


PLACELESS = Origin(Path(), "")


def without_places(manifest: ModelManifest | DataSetManifest) -> ModelManifest | DataSetManifest:
    if isinstance(manifest, DataSetManifest):
        return replace(manifest, origin=PLACELESS, lines={})
    stages = (manifest.preprocess, manifest.postprocess)
    preprocess, postprocess = (tuple(replace(step, line=0) for step in stage) for stage in stages)
    return replace(manifest, origin=PLACELESS, preprocess=preprocess, postprocess=postprocess)


def test_the_text(published: Published) -> None:
    text = write_manifest(upgrade_file(published()))
    assert sorted(text.splitlines()) == sorted(WRITTEN.splitlines())
    assert text.partition("attributes:")[0] == WRITTEN.partition("attributes:")[0]


@pytest.mark.parametrize(
    "change",
    [
        ("Tiny Net v1.0", "Tiny"),
        ("  return np", "\treturn np"),
        ("return np.load", "return np.load  # größer, and \\\\ 'quoted' \\\"twice\\\"\n    "),
        ("  import numpy as np\n", "\n\n  import numpy as np\n\n"),
        ("postprocess: |", "postprocess: |-"),
        ("A network that", "'A: network' # that {is: [odd]}"),
    ],
)
@pytest.mark.parametrize("text", [MODEL])
def test_it_is_the_same_manifest(published: Published, change: tuple[str, str], text: str) -> None:
    path = published(change, text=text)
    written = write_manifest(upgrade_file(path))
    assert alike(path, written) == ()
    assert "source: |" in written


def test_a_data_set_is_the_same(published: Published) -> None:
    path = published(text=DATASET)
    assert alike(path, write_manifest(upgrade_file(path))) == ()


def test_blanks_at_the_ends_of_lines_are_left_out_of_python(published: Published) -> None:
    path = published(("import numpy as np", "import numpy as np   "))
    text = write_manifest(upgrade_file(path))
    assert "import numpy as np\n" in text
    assert alike(path, text) == ("preprocess",)


def test_blanks_that_mean_something_stay() -> None:
    source = 'x = """a  \nb"""\n'
    assert without_trailing_blanks(source) == source
    assert without_trailing_blanks("x = (  \n  1)\n") == "x = (\n  1)\n"
    assert without_trailing_blanks("no python  \n") == "no python  \n"


def test_text_that_no_block_holds_is_quoted(published: Published) -> None:
    path = published(("import numpy as np", "import numpy as np  # \u2028"))
    text = write_manifest(upgrade_file(path))
    assert alike(path, text) == ()


def test_paths_still_name_the_same_files(published: Published, tmp_path: Path) -> None:
    path = published(("http://example.org/tiny-symbol.json", "models/tiny.json"))
    text = write_manifest(upgrade_file(path), tmp_path / "new")
    assert "source: ../models/tiny.json," in text
    assert "- source: https://example.org/tiny-0000.params\n" in text
    assert "source: models/tiny.json," in write_manifest(upgrade_file(path), tmp_path)


def test_what_cannot_be_upgraded(published: Published, tmp_path: Path) -> None:
    path = published()
    ours = tmp_path / "ours.yaml"
    ours.write_text(write_manifest(upgrade_file(path)), "utf-8")
    with pytest.raises(ManifestError, match="is a manifest of our format already"):
        upgrade_file(ours)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MODEL.replace("graph_path", "graph_pat"), "model.graph_pat: unknown key"),
        (MODEL.replace("def preprocess", "def process"), "does not define preprocess"),
        ("a: b\n", "kind: missing"),
        ("kind: model\n", "name: missing"),
    ],
)
def test_what_is_wrong_is_told_first(published: Published, text: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        upgrade_file(published(text=text))
