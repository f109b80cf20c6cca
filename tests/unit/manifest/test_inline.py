"""The step ``python``: what it is given, what it may return, and where its errors point."""

from __future__ import annotations

import sys
import traceback
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin import inline
from mlharness.builtin.inline import make_python
from mlharness.builtin.inline_code import compile_inline
from mlharness.errors import UserError
from mlharness.manifest.documents import ModelManifest
from mlharness.manifest.reading import read_manifest
from mlharness.options import resolve_options
from mlharness.registrars import Catalog, StepRegistrar
from tests.unit.manifest.conftest import Write

HEAD = 'kind: model\nname: m\nversion: "1"\nframework: {name: f}\n'


def context(*indices: int) -> dict[str, Any]:
    return {"attributes": {"a": 1}, "options": {}, "sample_indices": list(indices)}


def pre(source: str) -> Any:
    return make_python(source, stage="preprocess")


def post(source: str) -> Any:
    return make_python(source, stage="postprocess")


def test_registered_as_a_serial_step_that_takes_what_planning_gives() -> None:
    catalog = Catalog()
    inline.mlh_register_steps(StepRegistrar(catalog, "builtin-inline"))
    provider = catalog.steps.find("python").provider
    assert provider.serial
    assert not provider.batch
    source = "def preprocess(ctx, data): return data + 1"
    parameters = resolve_options("step", provider.parameters, {"source": source, "line": 7})
    step = provider.make(**parameters, stage="preprocess", filename="m.yaml", namespace=types.ModuleType("x"))
    [result] = step((np.array([1, 2]),), context(0))
    assert result.tolist() == [2, 3]


def test_preprocess_gets_the_array_or_the_tuple_of_a_sample() -> None:
    step = pre("def preprocess(ctx, data): return (data, ctx['attributes']['a'], ctx['sample_indices'])")
    one = np.arange(3, dtype=np.int16)
    data, attribute, indices = step((one,), context(5))
    assert data is one
    assert (int(attribute), indices.tolist()) == (1, [5])
    both = pre("def preprocess(ctx, data):\n    assert type(data) is tuple\n    return data[1]")
    [second] = both((one, one + 1), context(0))
    assert second.tolist() == [1, 2, 3]


def test_dtypes_are_kept() -> None:
    step = pre("import numpy as np\ndef preprocess(ctx, data): return data.astype(np.float16)")
    [result] = step((np.zeros(2, np.uint8),), context(0))
    assert result.dtype == np.float16


def test_postprocess_gets_the_list_of_outputs_and_gives_one_entry_per_sample() -> None:
    step = post("def postprocess(ctx, data):\n    assert type(data) is list\n    return [row.max() for row in data[0]]")
    result = step((np.array([[1, 5], [7, 2]], np.int64), np.zeros((2, 1))), context(3, 4))
    assert isinstance(result, np.ndarray)
    assert (result.tolist(), result.dtype) == ([5, 7], np.int64)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_equal_rows_are_one_array_with_the_batch_first(count: int) -> None:
    step = post("def postprocess(ctx, data): return list(data[0])")
    result = step((np.ones((count, 4), np.float32),), context(*range(count)))
    assert result.shape == (count, 4)
    assert result.dtype == np.float32


def test_rows_of_different_lengths_stay_apart() -> None:
    step = post("def postprocess(ctx, data): return [row[: i + 1] for i, row in enumerate(data[0])]")
    result = step((np.ones((2, 4), np.float32),), context(0, 1))
    assert [row.shape for row in result] == [(1,), (2,)]


def test_text_becomes_its_bytes() -> None:
    step = post("def postprocess(ctx, data): return ['é', b'abc']")
    assert [row.tobytes() for row in step((np.zeros((2, 1)),), context(0, 1))] == ["é".encode(), b"abc"]
    assert all(row.dtype == np.uint8 for row in step((np.zeros((2, 1)),), context(0, 1)))


# NumPy before 1.24, which MXNet needs, makes an array of objects of ragged lists, with a warning; later ones refuse.
@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged nested sequences")
@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("None", "returned NoneType"),
        ("3", "returned int"),
        ("'ab'", "returned str"),
        ("[1]", "returned 1 entries for 2 samples"),
        ("[1, None]", "NoneType that is no array of numbers"),
        ("[1, {'a': 1}]", "dict that is no array of numbers"),
        ("[[[1], [1, 2]], 1]", "list that is no array of numbers"),
        ("[['a'], ['b']]", "list that is no array of numbers"),
    ],
)
def test_what_postprocess_must_not_return(expression: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        post(f"def postprocess(ctx, data): return {expression}")((np.zeros((2, 1)),), context(0, 1))
    assert raised.value.remedy


@pytest.mark.parametrize(("expression", "said"), [("None", "no array of numbers"), ("()", "returned an empty tuple")])
def test_what_preprocess_must_not_return(expression: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        pre(f"def preprocess(ctx, data): return {expression}")((np.zeros(1),), context(0))


def test_blocks_of_one_run_share_a_namespace_and_runs_do_not() -> None:
    first, second = types.ModuleType("a"), types.ModuleType("b")
    source = "seen = []\ndef preprocess(ctx, data):\n    seen.append(1)\n    return data"
    for namespace in (first, second):
        make_python(source, stage="preprocess", namespace=namespace)((np.zeros(1),), context(0))
    step = make_python("def postprocess(ctx, data): return [len(seen)]", stage="postprocess", namespace=first)
    assert step((np.zeros((1, 1)),), context(0)) == np.array([1])
    assert "a" not in sys.modules
    with pytest.raises(NameError):
        post("def postprocess(ctx, data): return [len(seen)]")((np.zeros((1, 1)),), context(0))


def test_a_module_lives_as_long_as_its_functions() -> None:
    step = pre("offset = 2\ndef preprocess(ctx, data): return data + offset")
    assert step((np.zeros(1),), context(0))[0].tolist() == [2]
    assert compile_inline("x = 1", "m.yaml", 1).x == 1


def test_tracebacks_point_into_the_manifest(write: Write) -> None:
    path = write(
        HEAD + "preprocess:\n  - python: |\n      # begins\n      def preprocess(ctx, data):\n          return 1 / 0\n"
    )
    manifest = read_manifest(path)
    assert isinstance(manifest, ModelManifest)
    [step] = manifest.preprocess
    call = make_python(**step.parameters, line=step.line, stage="preprocess", filename=str(path))
    with pytest.raises(ZeroDivisionError) as raised:
        call((np.zeros(1),), context(0))
    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.line) == (str(path), 9, "return 1 / 0")


def test_module_level_errors_are_the_manifests_own(write: Write) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        make_python("\n1 / 0", 10, stage="preprocess", filename="m.yaml")
    assert traceback.extract_tb(raised.value.__traceback__)[-1].lineno == 11


def test_source_that_does_not_parse_is_told_with_its_line() -> None:
    with pytest.raises(UserError, match=r"m\.yaml:12: "):
        make_python("x = 1\n\nx x", 10, stage="preprocess", filename="m.yaml")
    with pytest.raises(UserError, match=r"m\.yaml:10: "):
        make_python("x = '\0'", 10, stage="preprocess", filename="m.yaml")


def test_a_missing_function_and_a_missing_package() -> None:
    with pytest.raises(UserError, match=r"does not define preprocess\(ctx, data\)"):
        pre("preprocess = 3")
    with pytest.raises(UserError, match="needs the package 'mlh_no_such', which is not installed") as raised:
        pre("import mlh_no_such.part")
    assert "requires" in raised.value.remedy


def test_the_futures_of_mlharness_do_not_leak_into_a_manifest() -> None:
    module = compile_inline("def f(x: int): ...\nkind = type(f.__annotations__['x'])", "m.yaml", 1)
    assert module.kind is type


def test_file_and_name_of_the_module(tmp_path: Path) -> None:
    module = compile_inline("here = __file__\nname = __name__", str(tmp_path / "m.yaml"), 1)
    assert (module.here, module.name) == (str(tmp_path / "m.yaml"), "manifest_code")
