"""The sequence ``dataset`` that Python of the published manifests finds in its module: each sample's file, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from mlharness.errors import UserError
from mlharness.providers import DataSet, FileDataSet


class Paths(Sequence[str]):
    """The path of each sample's file.

    Args:
        dataset: whose files they are.
        called: its name, for messages.
    """

    def __init__(self, dataset: DataSet, called: str) -> None:
        self._dataset, self._called = dataset, called

    def __len__(self) -> int:
        return len(self._dataset)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One path, or several. Raises UserError for a data set whose samples are no files."""
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not isinstance(self._dataset, FileDataSet):
            raise UserError(
                f"the data set {self._called!r} has no files, and this model's Python opens dataset[index] as one",
                "Use a data set of files with --dataset, as one of kind images.",
            )
        return str(self._dataset.file(range(len(self))[index]))
