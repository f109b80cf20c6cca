"""The convention ``published`` of the step ``python``: what the published manifests' Python gets and may return."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.inline import make_python
from mlharness.errors import UserError
from mlharness.providers import Array

# NumPy before 1.24, which MXNet needs, makes an array of objects of ragged lists, with a warning; later ones refuse.
pytestmark = pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged nested sequences")


def context(*indices: int) -> dict[str, Any]:
    return {"attributes": {}, "options": {}, "sample_indices": list(indices)}


def pre(expression: str, index: int = 7) -> Any:
    source = f"import numpy as np\ndef preprocess(ctx, data): return {expression}"
    return make_python(source, convention="published", stage="preprocess")((np.zeros(3),), context(index))


def post(expression: str, *indices: int, outputs: tuple[Array, ...] = ()) -> Any:
    source = f"import json\nimport numpy as np\ndef postprocess(ctx, data): return {expression}"
    return make_python(source, convention="published", stage="postprocess")(outputs, context(*indices))


class TestPreprocess:
    """One sample, of which only the index is told."""

    def test_the_index_is_text_and_the_samples_arrays_are_nobodys(self) -> None:
        [found] = pre("np.array([isinstance(data, str), int(data), ctx['sample_indices'][0]])")
        assert found.tolist() == [1, 7, 7]

    def test_a_tuple_has_one_array_for_each_input(self) -> None:
        first, second = pre("(np.zeros(3, np.int64), [[1.5]])")
        assert (first.dtype, first.shape, second.dtype, second.tolist()) == (np.int64, (3,), np.float64, [[1.5]])

    @pytest.mark.parametrize("expression", ["None", "'text'", "[[1], [1, 2]]", "{'a': 1}"])
    def test_what_is_no_array(self, expression: str) -> None:
        with pytest.raises(UserError, match="that is no array of numbers"):
            pre(expression)

    def test_an_empty_tuple(self) -> None:
        with pytest.raises(UserError, match="an empty tuple"):
            pre("()")


class TestPostprocess:
    """What it returns for each sample becomes flat float32."""

    @pytest.mark.parametrize(
        "expression",
        [
            "data[0].tolist()",
            "data[0].reshape(2, 2, 2).tolist()",
            "[json.dumps(row.tolist()) for row in data[0]]",
            "[json.dumps(row.reshape(2, 2).tolist()).encode() for row in data[0]]",
            "data[0]",
            "[[row[0], row[1:].tolist()] for row in data[0]]",
            "(data[0][:, :1].tolist(), data[0][:, 1:].tolist())",
        ],
    )
    def test_rows_of_one_length_are_one_array(self, expression: str) -> None:
        numbers = np.arange(8, dtype=np.float64).reshape(2, 4)
        found = post(expression, 0, 1, outputs=(numbers,))
        assert found.dtype == np.float32
        assert found.tolist() == numbers.tolist()

    def test_rows_of_other_lengths_stay_apart(self) -> None:
        found = post("['[[1, 2], [3]]', '[]', '5', [[], [[4]]]]", 0, 1, 2, 3)
        assert [row.tolist() for row in found] == [[1, 2, 3], [], [5], [4]]
        assert {row.dtype for row in found} == {np.dtype(np.float32)}

    def test_detections_are_rows_of_the_coco_log(self) -> None:
        """As MLPerf's accuracy-coco.py reads them: index, ymin, xmin, ymax, xmax, score, class."""
        boxes = [[[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 1.0, 1.0]], []]
        found = post(f"([[np.float32(0.5), 0.25], []], [[3, 1], []], {boxes})", 40, 2)
        rows = [[40, 0.1, 0.2, 0.3, 0.4, 0.5, 3], [40, 0.5, 0.5, 1.0, 1.0, 0.25, 1]]
        assert np.allclose(found[0], rows)
        assert [row.shape for row in found] == [(2, 7), (0, 7)]
        assert {row.dtype for row in found} == {np.dtype(np.float32)}

    def test_a_column_of_another_length_belongs_to_every_sample(self) -> None:
        found = post("([[[0, 1]], [[1, 2]]], [0, 17, 5])", 0, 1)
        assert found.tolist() == [[0, 1, 0, 17, 5], [1, 2, 0, 17, 5]]

    @pytest.mark.parametrize(
        ("expression", "said"),
        [
            ("None", "returned NoneType"),
            ("3", "returned int"),
            ("json.dumps([1])", r"returned '\[1\]'"),
            ("()", "returned tuple"),
            ("[1]", "returned 1 entries for 2 samples"),
            ("([[1]], [[1], [2]])", "returned 1 entries for 2 samples"),
            ("[1, None]", "returned NoneType among its entries"),
            ("[1, {'a': 1}]", "returned dict among its entries"),
            ("[1, '{\"a\": 1}']", "returned dict among its entries"),
            ("[1, 'cat']", "returned 'cat', which is no JSON"),
            ("[1, '[' * 100000]", "returned str, which is no JSON"),
            ("[1, [['cat']]]", "returned 'cat' inside an entry"),
            ("([[1], []], [[1], []], [[[1, 2]], []])", "1 probabilities, 1 classes and 2 box coordinates for sample 0"),
        ],
    )
    def test_what_it_must_not_return(self, expression: str, said: str) -> None:
        with pytest.raises(UserError, match=said) as raised:
            post(expression, 0, 1)
        assert raised.value.remedy

    def test_what_json_says_is_what_the_original_logged(self) -> None:
        """The original made ``np.array(json.loads(text), np.float32)`` of it."""
        values = np.array([[0.1, 1e-9], [3.0, 16777217.0]])
        text = json.dumps(values.tolist())
        found = post(repr([text]), 0)
        assert found.tobytes() == np.array(json.loads(text), np.float32).tobytes()
