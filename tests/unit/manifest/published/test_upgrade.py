"""A published manifest as one of ours: one test for each thing in which the formats differ."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import ManifestError
from mlharness.manifest.documents import FrameworkWish, ModelFile, Step
from mlharness.manifest.place import find_text, place
from mlharness.manifest.published.recognise import recognise
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.manifest.reading import check_manifest
from mlharness.providers import TensorSpec
from tests.unit.manifest.published.conftest import DATASET, MODEL, Published, dataset, model


def warned(path: Path) -> list[tuple[int, str, str]]:
    return [(found.line, found.key, found.found) for found in read_upgraded(path).warnings]


def problems(path: Path) -> list[str]:
    return [str(problem).replace(f"{path}:", "") for problem in check_manifest(path)]


def line_of(text: str, within: str = MODEL) -> int:
    return within[: within.index(text)].count("\n") + 1


def test_the_whole_model(published: Published) -> None:
    found = model(published())
    assert (found.name, found.version, found.modality) == ("tiny-net-v1.0", "1.0", "image-classification")
    assert found.description == "A network that does little."
    assert (found.license, found.references) == ("Apache License, Version 2.0", ("https://example.org/tiny",))
    assert found.inputs == (TensorSpec("data", "float32", (None, 32, 48, 3)),)
    assert found.outputs == (), "nothing names the layers: they are the model's own"
    [step] = found.preprocess
    source = "import numpy as np\ndef preprocess(ctx, data):\n  return np.load(dataset[int(data)])\n"
    parameters = {"source": source, "convention": "published"}
    assert step == Step("python", parameters, line_of("  import numpy"))
    assert found.postprocess[0].line == line_of("  def postprocess")


def test_what_is_deprecated_is_warned_about_with_its_line(published: Published) -> None:
    assert warned(published()) == [
        (1, "", "the published MLHarness format: `mlh manifest upgrade` writes ours"),
        (4, "framework.version", "an exact version is what the model was written for: any MXNet will do"),
        (5, "version", "a number, read as the text '1.0'"),
        (32, "model.graph_path", "plain http, which anyone on the way can change: a run needs --allow-http"),
        (33, "model.graph_checksum", "an md5 can be forged: write the file's sha256"),
        (35, "model.weights_checksum", "an md5 can be forged: write the file's sha256"),
    ]


@pytest.mark.parametrize(("written", "text"), [("1.0", "1.0"), ("1.10", "1.10"), ("2", "2"), ("'1.0.0'", "1.0.0")])
def test_a_version_is_the_text_that_stands_there(published: Published, written: str, text: str) -> None:
    assert model(published(("\nversion: 1.0", f"\nversion: {written}"))).version == text


def test_an_exact_version_of_the_framework_does_not_bind(published: Published) -> None:
    assert model(published()).framework == FrameworkWish("mxnet", "", {}, "1.8.0")


@pytest.mark.parametrize(
    ("written", "specifier"),
    [("'>=1.5.0'", ">=1.5.0"), ("^1.8", ">=1.8,<2"), ("~1.8.1", ">=1.8.1,<1.9"), ("1.8.x", "==1.8.*")],
)
def test_a_range_of_the_framework_binds(published: Published, written: str, specifier: str) -> None:
    path = published(("version: 1.8.0", f"version: {written}"))
    assert model(path).framework == FrameworkWish("mxnet", specifier)


def test_a_choice_of_ranges_cannot_bind(published: Published) -> None:
    path = published(("version: 1.8.0", "version: '1.7.x || 1.8.x'"))
    assert model(path).framework == FrameworkWish("mxnet")
    assert model(path).attributes["published"]["framework_version"] == "1.7.x || 1.8.x"
    assert warned(path)[1] == (4, "framework.version", "'1.7.x || 1.8.x' does not bind: only one range can")


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("TensorFlow", "tensorflow"),
        ("MXNet", "mxnet"),
        ("Onnxruntime", "onnxruntime"),
        ("PyTorch", "torch"),
        ("Caffe2", "Caffe2"),
    ],
)
def test_frameworks_as_their_authors_spell_them(published: Published, spelt: str, name: str) -> None:
    assert model(published(("name: MXNet", f"name: {spelt}"))).framework.name == name


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("SSD_MobileNet_v1_0.75", "ssd_mobilenet_v1_0.75"), ("  Größe (large)! ", "gr-e-large"), ("..3DUNet", "3dunet")],
)
def test_a_name_as_it_is_typed(published: Published, spelt: str, name: str) -> None:
    found = model(published(("name: Tiny Net v1.0", f"name: '{spelt}'")))
    assert (found.name, found.attributes["published"]["name"]) == (name, spelt)


def test_files_in_the_order_of_the_framework_and_labels_that_nothing_fetches(published: Published) -> None:
    found = model(published())
    graph, weights = "http://example.org/tiny-symbol.json", "https://example.org/tiny-0000.params"
    assert found.files == (
        ModelFile(graph, md5="6590d27d0f9832d93b3d419fe8a4329b"),
        ModelFile(weights, md5="19b9100c6cd0b58221e9e5a1c4156aaa"),
    )
    assert found.attributes["published"]["features_path"] == "https://example.org/labels.txt"


ARCHIVE = (
    "    false\n  graph_path: http://example.org/tiny-symbol.json",
    "    true\n  base_url: https://example.org/a.tgz\n  graph_path: ./a/tiny-symbol.json",
)


def test_an_archive_has_the_checksum(published: Published) -> None:
    found = model(published(ARCHIVE, ("https://example.org/tiny-0000.params", "a/tiny-0000.params")))
    md5 = "6590d27d0f9832d93b3d419fe8a4329b"
    source = "https://example.org/a.tgz"
    assert found.files == (
        ModelFile(source, md5=md5, member="a/tiny-symbol.json"),
        ModelFile(source, md5=md5, member="a/tiny-0000.params"),
    )


def test_an_archive_without_an_address(published: Published) -> None:
    path = published(("    false\n", "    true\n"))
    assert problems(path) == [
        "30: model.base_url: missing (allowed: the address of the archive, since is_archive is true)"
    ]


def test_a_base_address_stands_before_paths(published: Published) -> None:
    path = published(
        (
            "  graph_path: http://example.org/tiny-symbol.json",
            "  base_url: https://example.org/x/\n  graph_path: g.json",
        )
    )
    assert [file.source for file in model(path).files] == [
        "https://example.org/x/g.json", "https://example.org/tiny-0000.params",
    ]  # fmt: skip


def test_a_file_beside_the_manifest_without_a_checksum(published: Published) -> None:
    path = published(
        ("http://example.org/tiny-symbol.json", "tiny.json"),
        ("  graph_checksum: 6590D27d0f9832d93b3d419fe8a4329b\n", ""),
    )
    assert model(path).files[0] == ModelFile("tiny.json")


def test_a_checksum_of_64_digits_is_a_sha256(published: Published) -> None:
    path = published(("6590D27d0f9832d93b3d419fe8a4329b", "Ab" * 32))
    assert model(path).files[0].sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("layout", "dimensions", "shape"),
    [
        ("CHW", [3, 32, 48], (None, 3, 32, 48)),
        ("HWC", [3, 32, 48], (None, 32, 48, 3)),
        ("HWC", [32, 48, 3], (None, 32, 48, 3)),
        ("NCHW", [32, 48, 3], (None, 3, 32, 48)),
        ("HWC", [1, 28, 28], (None, 28, 28, 1)),
        ("CHW", [384], (None, 384)),
        ("HWC", [3, -1, None], (None, None, None, 3)),
    ],
)
def test_dimensions_become_the_shape_in_memory(
    published: Published, layout: str, dimensions: list[Any], shape: tuple[int | None, ...]
) -> None:
    written = str(dimensions).replace("None", "null")
    path = published(("layout: HWC", f"layout: {layout}"), ("dimensions: [3, 32, 48]", f"dimensions: {written}"))
    assert model(path).inputs[0].shape == shape


def test_what_nothing_says_of_an_input_is_left_to_the_model(published: Published) -> None:
    path = published((MODEL[MODEL.index("    parameters:\n") : MODEL.index("outputs:")], ""))
    assert model(path).inputs == (TensorSpec("0", "", ()),)


def test_an_input_by_its_place(published: Published) -> None:
    assert model(published(("input_layer: data", "input_layer: 0"))).inputs[0].name == "0"


def test_inputs_without_a_layer_stand_in_order(published: Published) -> None:
    one = "  - {type: general, parameters: {element_type: int64}}\n"
    inputs = MODEL[MODEL.index("inputs:") : MODEL.index("outputs:")]
    assert model(published((inputs, f"inputs:\n{one * 3}"))).inputs == tuple(
        TensorSpec(str(place), "int64", ()) for place in range(3)
    )


def test_outputs_by_their_layers_with_dtypes_that_are_not_believed(published: Published) -> None:
    path = published(("      element_type: float16\n", "      element_type: float16\n      output_layer: probs\n"))
    assert model(path).outputs == (TensorSpec("probs", "", ()),)
    assert model(path).attributes["published"]["outputs"][0]["element_type"] == "float16"


def test_a_single_output(published: Published) -> None:
    outputs = MODEL[MODEL.index("outputs:") : MODEL.index("model:")]
    single = "output:\n  type: raw\n  parameters: {element_type: float32, probabilities_layer: a/Softmax}\n"
    path = published((outputs, single))
    assert model(path).outputs == (TensorSpec("a/Softmax", "", ()),)
    assert (line_of("outputs:"), "output", "deprecated: write outputs, a list") in warned(path)


@pytest.mark.parametrize("scale", ["58.395", "[1, 2.5, 3]", "128"])
def test_what_has_no_key_of_ours_stays_among_the_attributes(published: Published, scale: str) -> None:
    attributes = model(
        published(("scale: 58.395", f"scale: {scale}"), ("      mean:", "      odd: {a: [1]}\n      mean:"))
    ).attributes
    assert (attributes["kind"], attributes["training_dataset"]) == ("CNN", "ImageNet")
    [kept] = attributes["published"]["inputs"]
    assert str(kept.pop("scale")) == scale
    assert kept == {
        "type": "image", "description": "the input image", "layout": "HWC", "color_mode": "RGB", "odd": {"a": [1]},
        "mean": [123.675, 116.28, 103.53],
    }  # fmt: skip


def test_keys_that_nothing_reads_are_kept(published: Published) -> None:
    path = published(("modality:", "hidden: true\ncontainer: {amd64: {cpu: x/y}}\nmodality:"))
    kept = model(path).attributes["published"]
    assert (kept["hidden"], kept["container"]) == (True, {"amd64": {"cpu": "x/y"}})
    assert [key for _, key, found in warned(path) if "nothing of mlharness reads it" in found] == [
        "hidden",
        "container",
    ]


def test_code_before_a_stage_is_called_once_in_front_of_it_on_its_lines(published: Published) -> None:
    before = "before_preprocess: |\n  import os\n  def before_preprocess():\n    os.x = 1\n"
    path = published(("preprocess: |\n  import", f"{before}preprocess: |\n  import"))
    [step] = model(path).preprocess
    lines = path.read_text("utf-8").splitlines()
    source = step.parameters["source"].splitlines()
    assert "before_preprocess()" in source
    for text in ("def before_preprocess():", "def preprocess(ctx, data):"):
        assert lines[step.line - 1 + source.index(text)].strip() == text
    behind = published(("attributes:", f"{before}attributes:"))
    source = model(behind).preprocess[0].parameters["source"]
    assert source.index("before_preprocess()\n") < source.index("def preprocess")


def test_code_after_a_stage_is_kept_and_not_run(published: Published) -> None:
    path = published(("attributes:", "after_postprocess: |\n  def after_postprocess(): pass\nattributes:"))
    assert "def after_postprocess" in model(path).attributes["published"]["after_postprocess"]
    assert warned(path)[-1][1:] == ("after_postprocess", "not run: nothing of a manifest is, once a test has ended")


def test_a_model_without_code(published: Published) -> None:
    path = published((MODEL[MODEL.index("preprocess:") : MODEL.index("attributes:")], ""))
    assert (model(path).preprocess, model(path).postprocess) == ((), ())


def test_a_data_set(published: Published) -> None:
    path = published(text=DATASET)
    found = dataset(path)
    assert (found.name, found.version, found.provider) == ("tiny_data", "1.0", "python")
    assert set(found.options) == {"init", "load", "unload"}
    assert found.options["init"].startswith("def init(count):\n")
    assert place(path, "options", "load").endswith(f":{line_of('load:', DATASET)}: load")


def test_places_are_those_of_the_published_file(published: Published) -> None:
    path = published()
    for key, line, shown in (
        (("framework", "name"), 3, "framework.name"),
        (("model", "files", 0), 32, "model.graph_path"),
        (("model", "files", 1, "md5"), 35, "model.weights_checksum"),
        (("inputs", 0, "dtype"), 17, "inputs[0].parameters.element_type"),
        (("inputs", 0, "shape", 3), 21, "inputs[0].parameters.dimensions"),
        (("preprocess", 0, "python", "source"), 38, "preprocess"),
        (("attributes", "training_dataset"), 47, "attributes.training_dataset"),
        (("attributes", "published", "inputs", 0, "mean", 1), 22, "inputs[0].parameters.mean[1]"),
        (("bench",), 1, "bench"),
    ):
        assert place(path, *key) == f"{path}:{line}: {shown}"
    assert find_text(path, "MXNet") == ("framework", "name")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("framework:", "framewrok:"), "2: framewrok: unknown key"),
        (("name: Tiny Net v1.0\n", ""), "1: name: missing (allowed: text)"),
        (("name: Tiny Net v1.0\n", "name: '!'\n"), "1: name: '!' (allowed: a name with a letter or a digit)"),
        (
            ("version: 1.8.0", "version: newest"),
            "4: framework.version: 'newest' (allowed: an exact version, or a range",
        ),
        (
            ("element_type: float32", "element_type: flot32"),
            "17: inputs[0].parameters.element_type: 'flot32' (allowed: bool",
        ),
        (("layout: HWC", "layout: WHC"), "19: inputs[0].parameters.layout: 'WHC' (allowed: CHW, HWC, NCHW, NHWC)"),
        (("[3, 32, 48]", "224"), "21: inputs[0].parameters.dimensions: 224 (allowed: a list)"),
        (("  - type: image", "  - typ: image"), "14: inputs[0].typ: unknown key (allowed: type"),
        (("    false", "    maybe"), "30: model.is_archive: 'maybe' (allowed: true or false)"),
        (("graph_path:", "graph_pat:"), "32: model.graph_pat: unknown key (allowed: is_archive"),
        (("6590D27d", "xxxx"), "33: model.graph_checksum: 'xxxx"),
        (
            ("def postprocess(ctx", "def postproces(ctx"),
            "43: postprocess: Python that does not define postprocess(ctx, data)",
        ),
        (("return np", "return return np"), "41: preprocess: Python that does not parse"),
        (("  kind: CNN", "  published: CNN"), "46: attributes.published: a name that mlharness keeps details"),
        (("https://example.org/tiny\n", "the paper\n"), "10: references[0]: 'the paper' (allowed: "),
    ],
)
def test_problems_have_the_published_key_and_its_line(published: Published, change: tuple[str, str], said: str) -> None:
    found = problems(published(change))
    assert any(problem.startswith(said) for problem in found), found
    with pytest.raises(ManifestError):
        model(published(change))


def test_two_inputs_of_one_layer(published: Published) -> None:
    one = "  - {type: general, parameters: {input_layer: x}}\n"
    inputs = MODEL[MODEL.index("inputs:") : MODEL.index("outputs:")]
    assert problems(published((inputs, f"inputs:\n{one * 2}"))) == [
        "15: inputs[1].parameters.input_layer: 'x' a second time (allowed: a name of its own)"
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"kind": "model", "model": {"graph_path": "x"}}, None),
        ({}, None),
        ({"knd": "model", "preprocess": [], "inputs": [{"name": "x"}]}, None),
        ({"model": {"graph_path": 1}}, "published-model"),
        ({"inputs": [{"type": "image"}]}, "published-model"),
        ({"preprocess": "x"}, "published-model"),
        ({"init": "x"}, "published-dataset"),
        ({"init": 1, "model": [], "inputs": {}}, None),
    ],
)
def test_how_the_format_is_recognised(data: dict[str, Any], found: str | None) -> None:
    assert recognise(data) == found


def test_a_file_with_many_values_is_read_in_time(published: Published) -> None:
    one = "  - {type: general, parameters: {element_type: int64, odd: [1, 2]}}\n"
    inputs = MODEL[MODEL.index("inputs:") : MODEL.index("outputs:")]
    assert len(model(published((inputs, f"inputs:\n{one * 5000}"))).inputs) == 5000


def test_the_text_of_these_tests_is_what_it_should_be() -> None:
    assert textwrap.dedent(MODEL) == MODEL
