"""What is warned about in a manifest that has no mistakes."""

from __future__ import annotations

import pytest

from mlharness.manifest.doubts import find_doubts
from mlharness.manifest.located import read_located
from tests.unit.manifest.conftest import Write

TEXT = """\
    kind: model
    name: m
    version: "1"
    framework: {name: a}
    model:
      files:
        - m.onnx
        - {source: "https://a/m.onnx", sha256: ab}
        - {source: "HTTP://a/m.onnx", sha256: ab}
        - source: m.zip
          md5: ab
    frameworks:
      b: {version: "1"}
      c:
        model: {files: ["http://a"]}
"""
HTTP = "plain http, which anyone on the way can change: a run needs --allow-http"
MD5 = "an md5 can be forged: write the file's sha256"


def test_each_file_once_with_its_place(write: Write) -> None:
    found = [(doubt.line, doubt.key, doubt.found) for doubt in find_doubts(read_located(write(TEXT)))]
    assert found == [
        (9, "model.files[2].source", HTTP),
        (11, "model.files[3].md5", MD5),
        (15, "frameworks.c.model.files[0]", HTTP),
    ]


@pytest.mark.parametrize("model", ["{}", "[]", "null", "{files: 3}", "{files: [3, null, {}, {source: 1}]}"])
def test_what_has_the_wrong_type_is_passed_over(write: Write, model: str) -> None:
    assert list(find_doubts(read_located(write(f"kind: model\nmodel: {model}\n")))) == []
