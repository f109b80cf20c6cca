"""The sequence of paths that Python of the published manifests finds as ``dataset``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlharness.errors import UserError
from mlharness.runner.paths import Paths
from tests.unit.runner.making import FakeDataSet


class Files(FakeDataSet):
    """Each sample is a file."""

    def file(self, index: int) -> Path:
        return Path(f"/data/{index}.png")


def test_an_index_is_a_path_as_text() -> None:
    paths = Paths(Files(3), "photos")
    assert list(paths) == ["/data/0.png", "/data/1.png", "/data/2.png"]
    assert (paths[int("2")], paths[-1], paths[np.int64(1)]) == ("/data/2.png", "/data/2.png", "/data/1.png")
    assert paths[1:] == ["/data/1.png", "/data/2.png"]
    assert len(paths) == 3
    with pytest.raises(IndexError):
        paths[3]


def test_a_data_set_without_files_is_named() -> None:
    with pytest.raises(UserError, match="the data set 'zeros' has no files") as raised:
        Paths(FakeDataSet(3), "zeros")[0]
    assert "--dataset" in raised.value.remedy
