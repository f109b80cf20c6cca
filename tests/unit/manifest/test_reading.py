"""What a manifest becomes, and every problem with its line."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlharness.errors import ManifestError
from mlharness.manifest.documents import DataSetManifest, MetricWish, ModelManifest, Step
from mlharness.manifest.located import parse_located
from mlharness.manifest.problems import Problem, dotted, show
from mlharness.manifest.reading import check_manifest, read_manifest
from mlharness.manifest.schema import explain
from mlharness.providers import ResponseSpec, TensorSpec
from tests.unit.manifest.conftest import Write

HEAD = 'kind: model\nname: m\nversion: "1"\nframework: {name: f}\n'

FULL = """\
    kind: model
    name: efficientnet-lite0
    version: "1.0"
    description: An image classifier.
    license: Apache-2.0
    modality: image-classification
    references: [https://example.org/paper]
    framework: {name: onnxruntime, version: ">=1.17", options: {graph: all}}
    model:
      weights: trained
      files:
        - {source: "pkg://p/m.onnx", sha256: "%s"}
        - m.bin
        - {source: m.zip, md5: cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd, member: a/m.onnx}
    inputs: [{name: images, dtype: float32, shape: [batch, 3, null, 224.0]}]
    outputs: [{name: logits, dtype: float32, shape: [1, 1000]}]
    dataset: photos
    preprocess:
      - image.decode: {mode: RGB}
      - tensor.scale
      - tensor.cast:
      - python: |
          def preprocess(ctx, data):
              return data
    postprocess: [tensor.argmax]
    metric: {name: top1, target: 75.0, options: {k: 1}}
    mlperf: {model: resnet50, server_target_latency_ms: 15, performance_sample_count: 1024}
    bench: {batch_size: 1.0, max_wait_us: 0, instances: 2, threads: 1}
    allow_non_finite: true
    requires: [numpy>=1.23]
    attributes: {classes: 1000}
""" % ("ab" * 32)


def with_block(source: str) -> bytes:
    """A manifest whose block of Python begins on line 7."""
    return (HEAD + "preprocess:\n  - python: |\n" + textwrap.indent(source, " " * 6)).encode()


def read(write: Write, text: str) -> ModelManifest:
    manifest = read_manifest(write(text))
    assert isinstance(manifest, ModelManifest)
    return manifest


def problems(write: Write, text: str) -> list[str]:
    path = write(text)
    return [str(problem).replace(f"{path}:", "") for problem in check_manifest(path)]


def test_every_key_of_a_model(write: Write) -> None:
    model = read(write, FULL)
    assert (model.name, model.version, model.license) == ("efficientnet-lite0", "1.0", "Apache-2.0")
    assert (model.description, model.modality) == ("An image classifier.", "image-classification")
    assert model.references == ("https://example.org/paper",)
    assert (model.framework.name, model.framework.version, model.framework.options) == (
        "onnxruntime", ">=1.17", {"graph": "all"}
    )  # fmt: skip
    assert model.weights == "trained"
    assert [(file.source, file.checksum, file.member) for file in model.files] == [
        ("pkg://p/m.onnx", "ab" * 32, None), ("m.bin", None, None), ("m.zip", "md5:" + "cd" * 16, "a/m.onnx"),
    ]  # fmt: skip
    assert model.inputs == (TensorSpec("images", "float32", (None, 3, None, 224)),)
    assert model.outputs == (TensorSpec("logits", "float32", (1, 1000)),)
    assert model.dataset == "photos"
    assert model.preprocess == (
        Step("image.decode", {"mode": "RGB"}, 19),
        Step("tensor.scale", {}, 20),
        Step("tensor.cast", {}, 21),
        Step("python", {"source": "def preprocess(ctx, data):\n    return data\n"}, 23),
    )
    assert model.postprocess == (Step("tensor.argmax", {}, 25),)
    assert model.metric is not None
    assert (model.metric.name, model.metric.target, model.metric.options) == ("top1", 75.0, {"k": 1})
    assert (model.mlperf.model, model.mlperf.server_target_latency_ms) == ("resnet50", 15)
    assert model.mlperf.performance_sample_count == 1024
    bench = model.bench
    assert (bench.batch_size, bench.max_wait_us, bench.instances, bench.threads) == (1, 0, 2, 1)
    assert isinstance(bench.batch_size, int)
    assert (model.allow_non_finite, model.requires, model.attributes) == (True, ("numpy>=1.23",), {"classes": 1000})
    assert model.inline


def test_a_step_of_python_says_its_convention(write: Write) -> None:
    model = read(
        write,
        HEAD + "preprocess:\n- python:\n    convention: published\n    source: |\n      # begins\n"
        "      def preprocess(ctx, data): ...\n",
    )
    source = "# begins\ndef preprocess(ctx, data): ...\n"
    assert model.preprocess == (Step("python", {"convention": "published", "source": source}, 9),)
    assert model.inline


def test_a_minimal_model_has_the_defaults(write: Write) -> None:
    model = read(write, HEAD)
    assert model == ModelManifest(model.origin, "m", "1", model.framework)
    assert model.origin.plugin is None
    assert not model.inline


def test_a_metric_of_the_manifests_own(write: Write) -> None:
    model = read(
        write,
        HEAD + "metric:\n  response: {dtype: float32, shape: [null, 7.0]}\n  unit: '%'\n  target: 3\n"
        "  higher_is_better: false\n  options: {k: 1}\n  python: |\n    def score(responses, label, options):\n"
        "        return 1\n",
    )
    source = "def score(responses, label, options):\n    return 1\n"
    response = ResponseSpec("float32", (None, 7))
    assert model.metric == MetricWish(
        "python", {"k": 1}, 3, Step("python", {"source": source}, 12), response, "%", higher_is_better=False
    )
    assert model.inline
    assert model.metric.inline


def test_a_data_set(write: Write) -> None:
    path = write('kind: dataset\nname: d\nversion: "2"\nprovider: images\noptions: {items: []}\nlicense: CC0-1.0\n')
    dataset = read_manifest(path, plugin="vision")
    assert isinstance(dataset, DataSetManifest)
    assert (dataset.provider, dataset.options, dataset.license) == ("images", {"items": []}, "CC0-1.0")
    assert (dataset.origin.path, dataset.origin.plugin) == (path, "vision")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\n", "1: kind: missing (allowed: model, dataset)"),
        ("knd: model\n", "1: kind: missing; there is 'knd' (allowed: model, dataset)"),
        ("kind: Modell\n", "1: kind: 'Modell' (allowed: model, dataset); did you mean 'model'?"),
        ("kind: [model]\n", "1: kind: a list (allowed: model, dataset)"),
        (
            HEAD.replace("{name: f}", "\n  name: f\n  versoin: '>=1'"),
            "6: framework.versoin: unknown key (allowed: name, version, written_for, options); did you mean 'version'?",
        ),
        (HEAD.replace("name: m\n", ""), "1: name: missing (allowed: text)"),
        (HEAD.replace('"1"', "1.0"), "3: version: 1.0 (allowed: text); did you mean '1.0'?"),
        (HEAD + "dataset: null\n", "5: dataset: null (allowed: text); did you mean 'null'?"),
        (
            HEAD.replace("name: m\n", "name: M!\n"),
            "2: name: 'M!' (allowed: lower-case letters, digits, '.', '_' and '-', beginning with a letter or a digit)",
        ),
        (HEAD + "model: {weights: traind}\n",
         "5: model.weights: 'traind' (allowed: trained, random); did you mean 'trained'?"),
        (HEAD + "bench:\n  threads: 0\n", "6: bench.threads: 0 (allowed: at least 1)"),
        (HEAD + "bench: {threads: yes}\n", "5: bench.threads: true (allowed: a whole number)"),
        (HEAD + "mlperf: {server_target_latency_ms: 0}\n",
         "5: mlperf.server_target_latency_ms: 0 (allowed: more than 0)"),
        (HEAD + "inputs: [{name: x, dtype: float32, shape: []}]\n",
         "5: inputs[0].shape: a list of 0 (allowed: at least 1 item)"),
        (HEAD + "inputs: [{name: x, dtype: float32, shape: [a, 1.5]}]\n",
         "5: inputs[0].shape[1]: 1.5 (allowed: a whole number or text or null)"),
        (HEAD + "preprocess: [{a: {}, b: {}}]\n", "5: preprocess[0]: a mapping of 2 (allowed: a mapping of one name)"),
        (HEAD + "preprocess: [{}]\n", "5: preprocess[0]: a mapping of 0 (allowed: a mapping of one name)"),
        (HEAD + "preprocess: [{a: 3}]\n", "5: preprocess[0].a: 3 (allowed: a mapping or null)"),
        (HEAD + "preprocess: [python]\n",
         "5: preprocess[0]: the step python without a source (allowed: {python: SOURCE})"),
        (HEAD + "preprocess: [{python: }]\n", "5: preprocess[0].python: null (allowed: text or a mapping)"),
        (HEAD + "preprocess: [{python: {}}]\n", "5: preprocess[0].python.source: missing (allowed: text)"),
        (HEAD + "preprocess: [{python: {source: 'def preprocess(ctx, data): ...', convention: publised}}]\n",
         "5: preprocess[0].python.convention: 'publised' (allowed: arrays, published); did you mean 'published'?"),
        (HEAD + "preprocess:\n- tensor.cast\n- python:\n    convention: published\n"
         "    source: 'def preprocess(ctx, data): ...'\n",
         "8: preprocess[1].python.convention: a step before it, whose result it would not get: it opens the sample "
         "itself (allowed: the first step of preprocess)"),
        (HEAD + "preprocess:\n- python:\n    source: |\n      x = 1\n      x x\n",
         "9: preprocess[0].python.source: Python that does not parse: invalid syntax"),
        (HEAD + "postprocess: [{python: 'def preprocess(ctx, data): ...'}]\n",
         "5: postprocess[0].python: Python that does not define postprocess(ctx, data)"),
        (HEAD + "model: {files: [{sha256: " + "a" * 64 + "}]}\n", "5: model.files[0].source: missing (allowed: text)"),
        (HEAD + "model: {files: [{source: a, md5: " + "a" * 31 + "}]}\n",
         "5: model.files[0].md5: '" + "a" * 31 + "' (allowed: 32 lower-case hexadecimal digits)"),
        (HEAD + "model:\n  files:\n  - source: a\n    sha256: " + "a" * 64 + "\n    md5: " + "a" * 32 + "\n",
         "9: model.files[0].md5: md5 beside sha256 (allowed: sha256 alone)"),
        (HEAD + "metric: {target: 1}\n", "5: metric.name: missing (allowed: text, or python in its place)"),
        (HEAD + "metric: {name: Py-thon}\n",
         "5: metric.name: the metric python without a source (allowed: {python: SOURCE, response: {...}})"),
        (HEAD + "metric: {name: top1, unit: k}\n",
         "5: metric.unit: only a metric of the manifest's own Python has it"),
        (HEAD + "metric: {name: top1, python: 'def score(r, l, o): ...', response: {dtype: int8, shape: [1]}}\n",
         "5: metric.name: a name beside python (allowed: one of both)"),
        (HEAD + "metric: {python: 'def score(r, l, o): ...'}\n",
         "5: metric.response: missing (allowed: {dtype: DTYPE, shape: SHAPE} beside python)"),
        (HEAD + "metric: {python: 'def scroe(r, l, o): ...', response: {dtype: int8, shape: [1]}}\n",
         "5: metric.python: Python that does not define score(responses, label, options)"),
        (HEAD + "metric:\n  response: {dtype: int8, shape: [1]}\n  python: |\n    x = 1\n    x x\n",
         "9: metric.python: Python that does not parse: invalid syntax"),
        (HEAD + "metric: {python: 'def score(r, l, o): ...', response: {dtype: str, shape: [1]}}\n",
         "5: metric.response.dtype: 'str' (allowed: bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
         "float16, float32, float64, complex64, complex128)"),
        (HEAD + "requires: [a b c]\n",
         "5: requires[0]: 'a b c' (allowed: a PEP 508 requirement, as 'numpy>=1.23')"),
        (HEAD.replace("{name: f}", "{name: f, version: '1.17'}"),
         "4: framework.version: '1.17' (allowed: a PEP 440 specifier set, as '>=1.17,<2'); did you mean '==1.17'?"),
        (HEAD.replace("{name: f}", "{name: f, version: ^1.8}"),
         "4: framework.version: '^1.8' (allowed: a PEP 440 specifier set, as '>=1.17,<2')"),
        (HEAD + "outputs:\n- {name: x, dtype: int8, shape: [b]}\n- {name: x, dtype: int8, shape: [b]}\n",
         "7: outputs[1].name: 'x' a second time (allowed: a name of its own)"),
        (HEAD + 'model: {files: ["x/{member}.onnx"]}\n',
         "5: model.files[0]: the placeholder {member}, which nothing fills "
         "(allowed: no placeholder, or members for it to stand for)"),
        (HEAD + 'members: [a, b]\nmodel:\n  files:\n    - source: "zoo://{membr}"\n',
         "8: model.files[0].source: the placeholder {membr}, which nothing fills (allowed: {member})"),
    ],
)  # fmt: skip
def test_one_problem(write: Write, text: str, expected: str) -> None:
    assert problems(write, text) == [expected]


def test_a_misspelt_dtype_gets_the_right_one(write: Write) -> None:
    [problem] = check_manifest(write(HEAD + "inputs:\n  - name: x\n    dtype: Flot32\n    shape: [n]\n"))
    assert (problem.line, problem.key, problem.found) == (7, "inputs[0].dtype", "'Flot32'")
    assert problem.suggestion == "float32"


def test_a_name_with_a_line_break_is_no_name(write: Write) -> None:
    [problem] = problems(write, HEAD.replace("name: m\n", "name: |\n  m\n"))
    assert problem.startswith("2: name: 'm\\n' (allowed: lower-case")
    sha256 = "ab" * 32
    [problem] = problems(write, HEAD + f'model: {{files: [{{source: x, sha256: "{sha256}\\n"}}]}}\n')
    assert problem.startswith("5: model.files[0].sha256: ")


def test_all_problems_at_once_by_line(write: Write) -> None:
    text = HEAD + "bench: {thread: 1}\nrequires: ['!']\ninputs: [{}]\n"
    found = check_manifest(write(text))
    assert [(problem.line, problem.key) for problem in found] == [
        (5, "bench.thread"),
        (6, "requires[0]"),
        (7, "inputs[0].name"),
    ]
    with pytest.raises(ManifestError) as raised:
        read_manifest(write(text))
    assert raised.value.message.splitlines() == [str(problem) for problem in found]
    assert "3 places" in raised.value.remedy


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("\n\ndef preprocess(ctx, data):\n    return data data\n", 10, "does not parse"),
        ("def preprocess(ctx, data): pass\nreturn 1\n", 8, "'return' outside function"),
        ("def preproces(ctx, data): pass\n", 7, "does not define preprocess(ctx, data)"),
        ("def f():\n    preprocess = 1\n", 7, "does not define preprocess(ctx, data)"),
    ],
)
def test_python_with_a_mistake(write: Write, source: str, line: int, said: str) -> None:
    [problem] = check_manifest(write(with_block(source)))
    assert (problem.line, problem.key) == (line, "preprocess[0].python")
    assert said in problem.found


def test_python_too_deep_for_the_compiler(write: Write) -> None:
    [problem] = check_manifest(write(with_block("x = " + "-" * 100_000 + "1")))
    assert (problem.line, problem.key) == (7, "preprocess[0].python")
    assert problem.found.startswith("Python that does not")


@pytest.mark.parametrize(
    "source",
    [
        "def preprocess(ctx, data): return data",
        "preprocess = lambda ctx, data: data",
        "from somewhere import preprocess",
        "class preprocess: pass",
        "if True:\n    def preprocess(ctx, data): pass",
        "text = '\\d'\ndef preprocess(ctx, data): pass",
    ],
)
def test_python_that_defines_its_function(write: Write, source: str) -> None:
    assert check_manifest(write(with_block(source))) == []


def test_python_is_never_run(write: Write, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    source = f"open({str(witness)!r}, 'w')\ndef preprocess(ctx, data): pass"
    assert check_manifest(write(with_block(source))) == []
    assert not witness.exists()


def test_what_cannot_be_parsed_has_no_list_of_problems(write: Write) -> None:
    with pytest.raises(ManifestError, match=r"m\.yaml:1: not valid YAML"):
        check_manifest(write("a: [\x02"))


BRANCHES: dict[str, Any] = {
    "properties": {
        "a": {
            "anyOf": [
                {"type": "string", "enum": ["auto"]},
                {"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": False},
            ]
        },
        "b": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        "c": {"uniqueItems": True},
    }
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 3", ["m:1: a: 3 (allowed: auto or a mapping)"]),
        ("a: {sise: 1}", ["m:1: a.sise: unknown key (allowed: size); did you mean 'size'?"]),
        ("a: {size: x}", ["m:1: a.size: 'x' (allowed: a whole number)"]),
        ("b: 3", ["m:1: b: 3, which fits more than one form (allowed: a whole number or a number)"]),
        ("b: x", ["m:1: b: 'x' (allowed: a whole number or a number)"]),
        ("c: [1, 1]", ["m:1: c: [1, 1] has non-unique elements"]),
    ],
)
def test_branches_of_a_schema_are_one_problem(text: str, expected: list[str]) -> None:
    located = parse_located(Path("m"), text, "")
    errors = Draft202012Validator(BRANCHES).iter_errors(located.data)
    assert [str(problem) for error in errors for problem in explain(located, error)] == expected


def test_a_problem_is_one_line() -> None:
    problem = Problem("m.yaml", 1, dotted(("a", 0, "b c", "d\ne")), show("x\ny" * 100), "\x1b[31m")
    assert str(problem).isprintable()
    assert str(problem).startswith("m.yaml:1: a[0]['b c']['d\\ne']: 'x\\ny")
    assert "\\x1b[31m" in str(problem)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (True, "true"), (1, "1"), ("a", "'a'"), ([1], "a list"), ({}, "a mapping")]
)
def test_values_as_shown(value: object, text: str) -> None:
    assert show(value) == text


class TestPythonDataSets:
    """The data-set kind that is Python of its manifest."""

    HEAD = 'kind: dataset\nname: d\nversion: "1"\nprovider: python\noptions:\n'

    def test_each_source_has_its_line(self, write: Write) -> None:
        text = "  init: |\n    def init(count):\n        return 3\n  load: 'def load(sample_list): ...'\n"
        found = read_manifest(write(self.HEAD + text))
        assert isinstance(found, DataSetManifest)
        assert found.inline
        assert found.lines == {"init": 7, "load": 9}

    def test_another_kind_has_no_lines(self, write: Write) -> None:
        found = read_manifest(write(self.HEAD.replace("python", "images") + "  init: 3\n"))
        assert isinstance(found, DataSetManifest)
        assert (found.inline, found.lines) == (False, {})

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("  init: |\n    def init(count)\n", "7: options.init: Python that does not parse: expected ':'"),
            ("  init: 'count = 3'\n", "6: options.init: Python that does not define init(count)"),
            ("  unload: 'def load(sample_list): ...'\n",
             "6: options.unload: Python that does not define unload(sample_list)"),
        ],
    )  # fmt: skip
    def test_one_problem(self, write: Write, text: str, expected: str) -> None:
        assert problems(write, self.HEAD + text) == [expected]
