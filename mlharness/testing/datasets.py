"""What every data-set plugin must hold to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from mlharness.errors import UserError
from mlharness.manifest.files import resolve
from mlharness.providers import DataSet, DataSetProvider
from mlharness.testing.effort import lines_run, package_of
from mlharness.testing.growth import require_no_growth
from mlharness.testing.subject import Subject, check_declared, copied, on_threads, resolved, same
from mlharness.testing.verdict import require, require_user_error

_DATASET = "mlharness.providers.DataSet"
_OPEN = "mlharness.providers.OpenDataSet"
_MOST = 64


class DataSetConformance(Subject):
    """Checks one kind of data set with one set of options. Set ``dataset``, and give the options of a small one.

    ``count`` is how many samples it has; ``most_lines`` the most lines of the plugin's own Python for one sample.
    """

    dataset: str = ""
    count: int = 0
    most_lines: int = 500

    def make_options(self, folder: Path) -> Mapping[str, Any]:
        """The options of a small data set; its files may be written into ``folder``, to which paths are relative."""
        raise NotImplementedError("say which data set to check with: define make_options(self, folder)")

    def bad_options(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        """Options that opening, or the check after it, must refuse: a missing file, a damaged one."""
        return ()

    def provider(self) -> DataSetProvider:
        """The kind as its plugin registers it."""
        plugins = self.plugins()
        return self.find(plugins, plugins.catalog.datasets, self.dataset).provider

    def open(self, folder: Path, count: int | None = None, options: Mapping[str, Any] | None = None) -> DataSet:
        """Open and check as the runner does."""
        plugins, provider = self.plugins(), self.provider()

        def locate(source: str) -> Path:
            found = resolve(source, folder, None, plugins.catalog)
            if found is None:
                raise UserError(f"{source} has not been fetched")
            return found

        given = self.make_options(folder) if options is None else options
        dataset = provider.open(resolved(f"data set {self.dataset!r}", provider.options, given), count, locate)
        dataset.check()
        return dataset

    def test_it_is_registered_and_described(self) -> None:
        """Options are documented, and their defaults of their own types."""
        check_declared(f"data set {self.dataset!r}", self.provider().options)

    def test_it_has_as_many_samples_as_it_says(self, tmp_path: Path) -> None:
        """All of them without ``count``, no more than ``count`` with it, and the last one can be had."""
        every = self.open(tmp_path)
        require(
            len(every) == self.count > 0,
            f"data set {self.dataset!r} has {len(every)} samples.",
            f"len() is the number of samples, here {self.count}",
            _DATASET,
        )
        require(
            len(self.open(tmp_path, 1)) == 1,
            f"data set {self.dataset!r} opened with count 1 has another length.",
            "count limits the samples",
            _OPEN,
        )
        more = len(self.open(tmp_path, self.count + 1))
        require(
            more == self.count,
            f"data set {self.dataset!r} opened with count {self.count + 1} has {more} samples.",
            "count limits the samples, and adds none",
            _OPEN,
        )
        every.sample(self.count - 1)

    def test_samples_are_arrays(self, tmp_path: Path) -> None:
        """A tuple of NumPy arrays of numbers."""
        dataset = self.open(tmp_path)
        for index in self.indices(dataset):
            sample: Any = dataset.sample(index)
            arrays = isinstance(sample, tuple) and bool(sample) and all(isinstance(item, np.ndarray) for item in sample)
            require(
                arrays,
                f"data set {self.dataset!r}: sample {index} is {type(sample).__name__}.",
                "sample returns a tuple of NumPy arrays",
                _DATASET,
            )
            kinds = [str(array.dtype) for array in sample if array.dtype.kind not in "biufc"]
            require(
                not kinds,
                f"data set {self.dataset!r}: sample {index} holds {kinds}.",
                "arrays of numbers with a fixed dtype; text is its UTF-8 bytes, uint8",
                _DATASET,
            )

    def test_a_sample_is_always_the_same(self, tmp_path: Path) -> None:
        """Asked for twice, after others, and in a data set that is opened anew; its label too."""
        dataset, anew = self.open(tmp_path), self.open(tmp_path)
        indices = self.indices(dataset)
        first = [copied(dataset.sample(index)) for index in indices]
        for index, before in zip(indices, first, strict=True):
            alike = same(before, dataset.sample(index)) and same(before, anew.sample(index))
            require(
                alike,
                f"data set {self.dataset!r}: sample {index} is another one when it is asked for again.",
                "a sample is the same each time, whatever was asked for before",
                _DATASET,
            )
            labels = [repr(opened.label(index)) for opened in (dataset, dataset, anew)]
            require(
                len(set(labels)) == 1,
                f"data set {self.dataset!r}: the label of sample {index} changes.",
                "a label is the same each time",
                _DATASET,
            )

    def test_a_sample_outlives_the_next(self, tmp_path: Path) -> None:
        """Nothing is read into a buffer that the data set keeps."""
        dataset = self.open(tmp_path)
        kept = dataset.sample(0)
        before = copied(kept)
        for index in self.indices(dataset):
            dataset.sample(index)
        require(
            same(before, kept),
            f"data set {self.dataset!r}: a later sample overwrites an earlier one.",
            "sample returns arrays that no later call changes",
            _DATASET,
        )

    def test_threads_may_ask_at_once(self, tmp_path: Path) -> None:
        """Samples are preprocessed on several threads."""
        dataset = self.open(tmp_path)
        indices = [*self.indices(dataset), *reversed(self.indices(dataset))]
        alone = [copied(dataset.sample(index)) for index in indices]
        asks = "sample is called from several threads at once"
        try:
            found = on_threads(dataset.sample, indices)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the plugin's
            found = []
            require(
                False,
                f"data set {self.dataset!r} raises {type(error).__name__} on other threads: {error}",
                asks,
                _DATASET,
            )
        right = all(map(same, alone, found))
        require(right, f"data set {self.dataset!r} gives other samples on several threads.", asks, _DATASET)

    def test_a_thousand_samples_leak_nothing(self, tmp_path: Path) -> None:
        """Neither memory nor files nor threads."""
        dataset = self.open(tmp_path)
        require_no_growth(
            f"sample of data set {self.dataset!r}",
            "only the sample library holds samples",
            _DATASET,
            partial(dataset.sample, 0),
        )

    def test_bad_options_are_user_errors(self, tmp_path: Path) -> None:
        """Found when the data set is opened, or by its check: before anything is measured."""
        bad = self.bad_options(tmp_path)
        if not bad:
            raise SkipTest("no bad options are given: define bad_options(self, folder)")
        for options in bad:
            require_user_error(
                f"data set {self.dataset!r}: opening it with {dict(options)!r}",
                "open and check raise UserError for options and files that cannot be used",
                _OPEN,
                partial(self.open, tmp_path, None, options),
            )

    def test_overhead_is_bounded(self, tmp_path: Path) -> None:
        """The plugin's own Python runs few lines for a sample."""
        dataset = self.open(tmp_path)
        lines = lines_run(lambda: dataset.sample(0), package_of(type(dataset)))
        require(
            lines <= self.most_lines,
            f"data set {self.dataset!r} runs {lines} lines of Python for a sample.",
            f"at most {self.most_lines} lines: no loop over values",
            _DATASET,
        )

    def indices(self, dataset: DataSet) -> Sequence[int]:
        """The samples to look at: all of a small data set."""
        return range(min(len(dataset), _MOST))
