"""The data-set kind ``python``: which functions are called, with what, and where their errors point."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlharness.builtin.inline_code import new_module
from mlharness.builtin.inline_dataset import open_python
from mlharness.errors import RunError, UserError
from mlharness.providers import FileDataSet, LoadingDataSet
from mlharness.testing import DataSetConformance

INIT = """\
calls = []
def init(count):
    global dataset
    calls.append(("init", count))
    dataset = [f"{index}.png" for index in range(count or 5)]
    return len(dataset)
"""
LOAD = "def load(sample_list):\n    calls.append(('load', sample_list))\n"
UNLOAD = "def unload(sample_list):\n    calls.append(('unload', sample_list))\n"


def locate(source: str) -> Path:
    raise AssertionError("its files are nobody else's business")


class TestPythonDataSetConformance(DataSetConformance):
    """The provider with a sample and a label function."""

    dataset = "python"
    count = 3

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        return {
            "init": "def init(count): return 3",
            "sample": "import numpy as np\ndef sample(index): return np.full(4, index, np.float32)",
            "label": "def label(index): return index % 2",
        }

    def bad_options(self, folder: Path) -> list[Mapping[str, Any]]:
        return [
            {},
            {"init": "x x"},
            {"init": "start = 3"},
            {"init": "def init(count): ..."},
            {"init": "import mlh_no_such"},
            {"init": "def init(count): return 3", "load": "def unload(sample_list): ..."},
        ]


class TestFunctions:
    """What the manifest's Python is called with."""

    def test_the_functions_share_the_runs_module(self) -> None:
        module = new_module()
        dataset = open_python({"init": INIT, "load": LOAD, "unload": UNLOAD}, None, locate, namespace=module)
        assert isinstance(dataset, LoadingDataSet)
        assert not isinstance(dataset, FileDataSet)
        dataset.load((3, 1))
        dataset.unload((3, 1))
        assert module.calls == [("init", 0), ("load", [3, 1]), ("unload", [3, 1])]
        assert module.dataset[4] == "4.png"
        assert (len(dataset), dataset.label(0)) == (5, None)

    def test_init_is_told_the_count_and_may_ignore_it(self) -> None:
        module = new_module()
        assert len(open_python({"init": INIT}, 2, locate, namespace=module)) == 2
        assert module.calls == [("init", 2)]
        assert len(open_python({"init": "def init(count): return 9"}, 2, locate)) == 2
        assert len(open_python({"init": "def init(count): return 1"}, 2, locate)) == 1

    def test_load_and_unload_may_be_left_out(self) -> None:
        dataset = open_python({"init": INIT, "load": "", "unload": None}, None, locate)
        dataset.load([0])
        dataset.unload([0])

    def test_a_number_of_numpy_is_a_number(self) -> None:
        assert len(open_python({"init": "import numpy as np\ndef init(count): return np.int64(4)"}, None, locate)) == 4

    def test_samples_are_arrays_or_tuples_of_them(self) -> None:
        one = {"init": INIT, "sample": "import numpy as np\ndef sample(index): return np.arange(index)"}
        [found] = open_python(one, None, locate).sample(3)
        assert found.tolist() == [0, 1, 2]
        two = {"init": INIT, "sample": "import numpy as np\ndef sample(index): return np.arange(index), np.zeros(1)"}
        assert len(open_python(two, None, locate).sample(3)) == 2

    def test_without_a_sample_function_there_are_none(self) -> None:
        with pytest.raises(UserError, match=r"has no sample\(index\)"):
            open_python({"init": INIT}, None, locate).sample(0)


class TestErrors:
    """Each says the manifest's line."""

    @pytest.mark.parametrize("value", ["None", "'5'", "2.5", "-1", "[1, 2]"])
    def test_init_must_return_a_number(self, value: str) -> None:
        source = f"# how many\ndef init(count): return {value}"
        with pytest.raises(UserError, match=r"^d\.yaml:8: init\(count\) returned") as raised:
            open_python({"init": source}, None, locate, filename="d.yaml", lines={"init": 7})
        assert raised.value.remedy

    @pytest.mark.parametrize(
        ("name", "source", "line"),
        [
            ("init", "def init(count):\n    return count / 0", 11),
            ("init", "here = 1\nhere.there\ndef init(count): return 1", 11),
            ("load", "def load(sample_list):\n\n    raise KeyError(sample_list[0])", 12),
            ("unload", "def help_(value):\n    return value.x\ndef unload(sample_list): help_(sample_list)", 11),
            ("label", "import sys\ndef label(index): sys.exit(3)", 11),
            ("sample", "def sample(index): return {}[index]", 10),
        ],
    )
    def test_what_raises_is_a_failed_run(self, name: str, source: str, line: int) -> None:
        options = {"init": "def init(count): return 3", name: source}

        def do() -> None:
            dataset = open_python(options, None, locate, filename="d.yaml", lines={name: 10})
            getattr(dataset, name)([5] if name.endswith("load") else 5)

        with pytest.raises(RunError, match=rf"^d\.yaml:{line}: .* failed: \w+") as raised:
            do()
        assert "runner.log" in raised.value.remedy
        assert raised.value.__cause__ is not None

    def test_a_block_that_does_not_parse(self) -> None:
        with pytest.raises(UserError, match=r"^d\.yaml:12: "):
            open_python({"init": "x = 1\n\nx x"}, None, locate, filename="d.yaml", lines={"init": 10})

    def test_samples_are_asked_for_one_at_a_time(self) -> None:
        source = (
            "import threading, time\nimport numpy as np\nbusy = threading.Lock()\ndef sample(index):\n"
            "    assert busy.acquire(blocking=False)\n    time.sleep(0.001)\n    busy.release()\n    return np.zeros(1)"
        )
        dataset = open_python({"init": INIT, "sample": source}, None, locate)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(4) as pool:
            assert all(np.array_equal(found[0], [0]) for found in pool.map(dataset.sample, range(20)))
