"""Python of the published manifests' convention: it opens its samples itself, beside the Python of a data set."""

from __future__ import annotations

import json
import struct
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from tests.e2e.conftest import Bench, Ran

PHOTO_MODEL = """\
kind: model
name: digits-published
version: "1.0"
framework: {name: onnxruntime}
model: {files: ["pkg://mlharness_vision/models/digits-cnn.onnx"]}
inputs: [{name: images, dtype: float32, shape: [batch, 1, 8, 8]}]
outputs: [{name: logits, dtype: float32, shape: [batch, 10]}]
dataset: ./photos.yaml
preprocess:
  - python:
      convention: published
      source: |
        import numpy as np
        from PIL import Image
        scale = np.float32(1 / 256)
        def preprocess(ctx, data):
          img = Image.open(dataset[int(data)])
          return (np.asarray(img) * scale)[None]
postprocess:
  - python:
      convention: published
      source: |
        def postprocess(ctx, data):
          import json
          return [json.dumps([x.item()]) for x in np.argmax(data[0], axis = 1)]
metric: {name: top1}
"""

DATASET = """\
kind: dataset
name: features
version: "1.0"
provider: python
options:
  init: |
    import json, os
    import numpy as np
    def note(*words):
      with open(os.path.join(os.environ["DATA_DIR"], "calls.txt"), "a") as file:
        file.write(json.dumps(words) + "\\n")
    def init(count):
      global eval_features
      note("init", count)
      with open(os.path.join(os.environ["DATA_DIR"], "features.json")) as file:
        eval_features = json.load(file)
      return len(eval_features[:count or None])
  load: |
    def load(sample_list):
      note("load", sample_list)
  unload: |
    def unload(sample_list):
      note("unload", sample_list)
  label: |
    def label(index):
      return eval_features[index][0]
"""

MODEL = """\
kind: model
name: two-inputs
version: "1.0"
framework: {name: "null"}
inputs:
  - {name: ids, dtype: int64, shape: [batch, 3]}
  - {name: mask, dtype: float32, shape: [batch]}
outputs: [{name: y, dtype: float32, shape: [batch, 1]}]
dataset: ./features.yaml
preprocess:
  - python:
      convention: published
      source: |
        firsts = []
        def preprocess(ctx, data):
          note("preprocess", data)
          cur = eval_features[int(data)]
          firsts.append(cur[0])
          return np.array(cur, dtype = np.int64), np.float32(len(cur))
postprocess:
  - python:
      convention: published
      source: |
        def postprocess(ctx, data):
          n = len(data[0])
          wanted = [eval_features[i][0] for i in ctx["sample_indices"]]
          assert all(first in firsts for first in wanted)
          return [json.dumps([[first]]) for first in wanted]
metric: {name: top1}
"""
FEATURES = [[10 * index, index, 1] for index in range(12)]

Files = Callable[..., Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """``files(model=[(old, new)], dataset=[...])``: both manifests with some text replaced, and the data."""

    def write(model: list[tuple[str, str]] | None = None, dataset: list[tuple[str, str]] | None = None) -> Path:
        for name, text, changes in (("model", MODEL, model), ("features", DATASET, dataset)):
            for old, new in changes or ():
                assert old in text
                text = text.replace(old, new)
            (tmp_path / f"{name}.yaml").write_text(text)
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "features.json").write_text(json.dumps(FEATURES))
        return tmp_path / "model.yaml"

    return write


@pytest.fixture
def data(tmp_path: Path) -> Mapping[str, str]:
    """The environment in which the data is found."""
    return {"DATA_DIR": str(tmp_path / "data")}


def calls(tmp_path: Path) -> list[list[object]]:
    """What the data set's Python noted."""
    return [json.loads(line) for line in (tmp_path / "data" / "calls.txt").read_text().splitlines()]


def line_of(path: Path, text: str) -> str:
    """``NAME:LINE`` of the first line of a file that holds this text."""
    lines = path.read_text().splitlines()
    return f"{path.name}:{next(number for number, line in enumerate(lines, 1) if text in line)}"


def logged(run: Path) -> dict[int, tuple[float, ...]]:
    """The numbers of each response in LoadGen's log: little-endian float32."""
    entries = json.loads((run / "mlperf_log_accuracy.json").read_text())
    return {
        entry["qsl_idx"]: struct.unpack(f"<{len(entry['data']) // 8}f", bytes.fromhex(entry["data"]))
        for entry in entries
    }


def write_photos(tmp_path: Path, model: str = PHOTO_MODEL) -> tuple[Path, npt.NDArray[np.int64]]:
    """A model and its data set, forty pictures of digits; the model's manifest, and the digits."""
    from PIL import Image
    from sklearn.datasets import load_digits

    images, labels = load_digits().images[1200:1240], load_digits().target[1200:1240]
    for index, image in enumerate(images):
        Image.fromarray((image * 16).clip(0, 255).astype(np.uint8)).save(tmp_path / f"{index}.png")
    items = [{"file": f"{index}.png", "label": int(label)} for index, label in enumerate(labels)]
    (tmp_path / "photos.yaml").write_text(
        yaml.safe_dump(
            {
                "kind": "dataset",
                "name": "digit-photos",
                "version": "1",
                "provider": "images",
                "options": {"items": items},
            }
        )
    )
    (tmp_path / "model.yaml").write_text(model)
    return tmp_path / "model.yaml", labels


def test_shapes_that_preprocessing_does_not_give_are_descriptions(bench: Bench, tmp_path: Path) -> None:
    """Three files of the corpus declare other dimensions than their own preprocessing gives, and used to run."""
    model, _ = write_photos(tmp_path, PHOTO_MODEL.replace("[batch, 1, 8, 8]", "[batch, 1, 9, 8]"))
    ran = bench(str(model), "--trust", "--duration", "1", "--json")
    assert ran.code == 0, ran.err
    told = "preprocess gives [1, 8, 8] for input 'images', and the manifest declares [1, 9, 8]"
    assert [warning for warning in ran.document["warnings"] if warning.startswith(told)]


@pytest.mark.parametrize("scenario", ["SingleStream", "Offline"])
def test_a_data_set_of_images_is_a_list_of_paths(bench: Bench, tmp_path: Path, scenario: str) -> None:
    """Module-level code, an index as text, a path by it, JSON as the response: what most of the corpus does."""
    import mlharness_vision
    import onnxruntime
    from PIL import Image

    model, labels = write_photos(tmp_path)
    ran = bench(
        str(model), "--mode", "accuracy", "--scenario", scenario, "--batch-size", "8", "--trust",
        "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    network = Path(mlharness_vision.__file__).parent / "models" / "digits-cnn.onnx"
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    stack = np.stack([np.asarray(Image.open(tmp_path / f"{index}.png")) for index in range(40)])
    [logits] = session.run(None, {"images": (stack * np.float32(1 / 256))[:, None]})
    found = logged(ran.run)
    assert [found[index] for index in range(40)] == [(float(best),) for best in logits.argmax(axis=1)]
    assert ran.document["accuracy"]["value"] == pytest.approx(100 * (logits.argmax(axis=1) == labels).mean())


class TestSharedModule:
    """The Python of a data set and of a model."""

    def test_it_runs_in_loadgens_order(
        self, bench: Bench, files: Files, data: Mapping[str, str], tmp_path: Path
    ) -> None:
        ran = bench(str(files()), "--mode", "accuracy", "--trust", "--json", env=data)
        assert ran.code == 0, ran.err
        assert ran.document["accuracy"]["value"] == 100
        assert logged(ran.run) == {index: (10.0 * index,) for index in range(12)}
        noted = [call for call in calls(tmp_path) if call[0] != "init"]
        rounds = [place for place, call in enumerate(noted) if call[0] == "load"]
        for start in rounds:
            samples = noted[start][1]
            assert isinstance(samples, list)
            stop = start + 1 + len(samples)
            assert noted[start + 1 : stop] == [["preprocess", str(sample)] for sample in samples]
            assert noted[stop] == ["unload", samples]
        assert calls(tmp_path)[0] == ["init", 0]

    @pytest.mark.parametrize("scenario", ["MultiStream", "Server", "Offline"])
    def test_scenarios(self, bench: Bench, files: Files, data: Mapping[str, str], scenario: str) -> None:
        rate = ("--target-qps", "500", "--target-latency", "1000") if scenario == "Server" else ()
        options = ("--scenario", scenario, "--duration", "1", "--min-queries", "500", "--batch-size", "4", *rate)
        ran = bench(str(files()), *options, "--trust", "--json", env=data)
        assert ran.code == 0, ran.err

    def test_init_is_told_the_count(self, bench: Bench, files: Files, tmp_path: Path) -> None:
        path = files()
        ran = bench(
            str(path), "--mode", "accuracy", "--count", "5", "--trust", "--json", "--data-dir", str(tmp_path / "data")
        )
        assert ran.code == 0, ran.err
        assert ran.document["dataset"]["count"] == 5
        assert calls(tmp_path)[0] == ["init", 5]
        assert json.loads((ran.run / "plan.json").read_text())["host"]["data_dir"] == str(tmp_path / "data")


class TestDataDirectory:
    """``--data-dir``."""

    def test_a_configuration_file_may_name_it(self, bench: Bench, files: Files, tmp_path: Path) -> None:
        (tmp_path / "mlharness.toml").write_text('[bench]\ndata-dir = "data"\n')
        ran = bench(str(files()), "--mode", "accuracy", "--trust", "--json", env={"DATA_DIR": "/nowhere"})
        assert ran.code == 0, ran.err

    @pytest.mark.parametrize("named", ["nothing", "model.yaml"])
    def test_it_must_be_a_folder(self, bench: Bench, files: Files, named: str) -> None:
        ran = bench(str(files()), "--data-dir", named, "--json")
        assert ran.code == 2
        assert "--data-dir" in ran.document["error"]["message"]
        assert named in ran.document["error"]["message"]


class TestTrust:
    """Nobody's Python runs unasked."""

    def test_both_files_are_named(self, bench: Bench, files: Files, data: Mapping[str, str], tmp_path: Path) -> None:
        # files of their own: the session's other tests trust theirs
        path = files([("cur = ", "cur_ = cur = ")], [('note("init"', 'note( "init"')])
        ran = bench(str(path), "--json", env=data)
        assert ran.code == 2
        said = ran.document["error"]
        assert "model.yaml:11: preprocess[0]" in said["message"]
        assert "features.yaml:6: options.init" in said["message"]
        assert "model.yaml and " in said["remedy"]
        assert not (tmp_path / "data" / "calls.txt").exists()
        assert not ran.root.exists()

    def test_a_dry_run_executes_nothing(
        self, bench: Bench, files: Files, data: Mapping[str, str], tmp_path: Path
    ) -> None:
        assert bench(str(files()), "--dry-run", "--trust", env=data).code == 0
        assert not (tmp_path / "data" / "calls.txt").exists()


def failed(ran: Ran, code: int, *words: str) -> None:
    """It ended so, and said these words: as the run's reasons, or as what is wrong with the input."""
    assert ran.code == code, ran.err
    said = ran.document["error"]["message"] if code == 2 else "\n".join(ran.document["invalid_reasons"])
    for word in words:
        assert word in said


class TestFailures:
    """What is wrong is named with the manifest's line."""

    def test_a_traceback_points_into_the_yaml(self, bench: Bench, files: Files, data: Mapping[str, str]) -> None:
        path = files([("firsts.append(cur[0])", "firsts.append(cur[5] if data == '3' else cur[0])")])
        ran = bench(str(path), "--trust", "--json", env=data)
        where = line_of(path, "cur[5]")
        failed(ran, 3, f"{where}: preprocess step 'python' failed on sample 3: IndexError: list index out of range")
        trace = (ran.run / "runner.log").read_text()
        assert f'model.yaml", line {where.rpartition(":")[2]}, in preprocess' in trace
        assert "firsts.append(cur[5] if data == '3' else cur[0])" in trace

    @pytest.mark.parametrize(
        ("returned", "words"),
        [
            ("[]", ("returned 0 entries for 1 samples", "samples [0]")),
            ("None", ("returned NoneType", "samples [0]")),
            ("['cat']", ("returned 'cat', which is no JSON",)),
            ("[[1.0, 2.0]]", ("float32 [1, 2] for 1 samples, and the response is float32 [1, 1]",)),
        ],
    )
    def test_what_postprocess_must_not_return(
        self, bench: Bench, files: Files, data: Mapping[str, str], returned: str, words: tuple[str, ...]
    ) -> None:
        path = files([("[json.dumps([[first]]) for first in wanted]", returned)])
        failed(bench(str(path), "--trust", "--json", env=data), 3, *words)

    @pytest.mark.parametrize(
        ("old", "new", "code", "words"),
        [
            ('note("init", count)', "count / 0", 3, ("init(count) of the data set failed: ZeroDivisionError",)),
            ('note("load", sample_list)', "sample_list.gone", 3, ("load(sample_list) of the data set failed: Attr",)),
            ("return len(eval_features[:count or None])", "return", 2, ("init(count) returned None",)),
            ("return len(eval_features[:count or None])", "return 0", 2, ("data set 'features' has no samples",)),
            ("import json, os", "import mlh_no_such, os", 2, ("needs the package 'mlh_no_such'",)),
            ("import json, os", "import json, os, sys; sys.path.gone", 3, ("the data set's Python failed: Attr",)),
        ],
    )
    def test_the_data_sets_python(
        self, bench: Bench, files: Files, data: Mapping[str, str], tmp_path: Path, old: str, new: str, code: int,
        words: tuple[str, ...],
    ) -> None:  # fmt: skip
        path = files(dataset=[(old, new)])
        ran = bench(str(path), "--trust", "--json", env=data)
        failed(ran, code, *words)
        failed(ran, code, "features.yaml:" if code == 2 else f"{line_of(tmp_path / 'features.yaml', new)}: ")

    def test_a_data_directory_that_nobody_names(self, bench: Bench, files: Files) -> None:
        path = files()
        ran = bench(str(path), "--trust", "--json", env={"DATA_DIR": ""})
        failed(ran, 3, "init(count) of the data set failed: ")
        path = files(dataset=[("    def init(count):", '    os.environ.pop("DATA_DIR", None)\n    def init(count):')])
        ran = bench(str(path), "--trust", "--json")
        failed(ran, 2, "features.yaml:", "DATA_DIR is not set")
        assert "--data-dir" in ran.document["error"]["remedy"]

    def test_a_data_set_without_files(self, bench: Bench, tmp_path: Path) -> None:
        source = "def preprocess(ctx, data): return open(dataset[int(data)])"
        manifest = yaml.safe_load(textwrap.dedent(MODEL))
        manifest["preprocess"][0]["python"]["source"] = source
        path = tmp_path / "model.yaml"
        path.write_text(yaml.safe_dump({**manifest, "dataset": "null"}))
        failed(bench(str(path), "--trust", "--json"), 3, "sample 0: the data set 'null' has no files", "--dataset")

    @pytest.mark.parametrize("which", ["model", "dataset"])
    def test_what_requires_names_and_is_not_there(
        self, bench: Bench, files: Files, data: Mapping[str, str], tmp_path: Path, which: str
    ) -> None:
        wish = ('version: "1.0"\n', 'version: "1.0"\nrequires: ["mlh-no-such>=2"]\n')
        ran = bench(str(files(**{which: [wish]})), "--trust", "--json", env=data)
        assert ran.code == 2
        assert "what the manifest requires is not installed here: mlh-no-such>=2" in ran.document["error"]["message"]
        assert "pip install 'mlh-no-such>=2'" in ran.document["error"]["remedy"]
        assert not (tmp_path / "data" / "calls.txt").exists()
