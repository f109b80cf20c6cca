"""The framework that a conformance suite looks at: how its model is made, loaded and asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.plugins import Plugins
from mlharness.providers import Array, FrameworkProvider, Model, Predictor, TensorSpec
from mlharness.testing.subject import Subject, resolved
from mlharness.testing.tensors import spoilt


class FrameworkSubject(Subject):
    """One framework with one small model; :class:`~mlharness.testing.FrameworkConformance` says what is to be set."""

    framework: str = ""
    device: str = "cpu"
    options: Mapping[str, Any] = {}
    imports: tuple[str, ...] = ()
    tolerance: float = 1e-4
    free_axis: int = 8
    most_samples: int = 9
    most_lines: int = 200

    def make_model(self, folder: Path) -> Model:
        """The model to check with; its files may be written into ``folder``."""
        raise NotImplementedError("say which model to check with: define make_model(self, folder)")

    def bad_models(self, folder: Path) -> Sequence[Model]:
        """Models that load must refuse: by default a damaged first file, a missing one, and none at all."""
        model = self.make_model(folder)
        if not model.files:
            return ()
        damaged = folder / f"damaged{model.files[0].suffix}"
        damaged.write_bytes(b"\xff\x00no model\n")
        missing = folder / f"missing{model.files[0].suffix}"
        return [replace(model, files=files) for files in ((damaged,), (missing,), ())]

    def make_batch(self, inputs: Sequence[TensorSpec], count: int) -> dict[str, Array]:
        """``count`` random samples, the same in every call: floats in [0, 1), whole numbers 0 or 1."""
        random = np.random.default_rng(7)
        batch = {}
        for spec in inputs:
            shape = (count, *(self.free_axis if size is None else size for size in spec.shape[1:]))
            dtype = np.dtype(spec.dtype)
            values = random.random(shape) if dtype.kind in "fc" else random.integers(0, 2, shape)
            batch[spec.name] = np.asarray(values).astype(dtype)
        return batch

    def wrong_batches(self, inputs: Sequence[TensorSpec], count: int) -> Sequence[Mapping[str, Array]]:
        """Batches that predict must refuse, whatever it raises.

        By default, for each input: text instead of numbers; and where an axis has a fixed size, one more than that,
        and no axis but that of the batch. Change it only for a framework that rightly answers one of these.
        """
        right = self.make_batch(inputs, count)
        return [{**right, spec.name: changed} for spec in inputs for changed in spoilt(right[spec.name], spec)]

    def provider(self, plugins: Plugins | None = None) -> FrameworkProvider:
        """The framework as its plugin registers it."""
        found = plugins or self.plugins()
        return self.find(found, found.catalog.frameworks, self.framework).provider

    def load(self, model: Model, device: str | None = None, **more: Any) -> Predictor:
        """Load as the runner does, on one thread of the framework's own unless ``options`` say otherwise.

        ``more`` are options that win over all others.
        """
        provider = self.provider()
        options = resolved(f"framework {self.framework!r}", provider.options, self.options)
        if provider.threads and options.get(provider.threads) is None:
            options[provider.threads] = 1
        return provider.load(model, device or self.device, {**options, **more})

    def load_and_close(self, model: Model, device: str | None = None) -> None:
        """Load what should be refused; closed at once if it is not."""
        self.load(model, device).close()

    @contextmanager
    def loaded(self, folder: Path, **more: Any) -> Iterator[Predictor]:
        """A predictor, closed afterwards; ``more`` as for :meth:`load`."""
        predictor = self.load(self.make_model(folder), **more)
        try:
            yield predictor
        finally:
            predictor.close()

    def sizes(self, predictor: Predictor) -> Sequence[int]:
        """A small and a large batch, or the one size of a model whose batch axis is fixed."""
        fixed = predictor.inputs[0].shape[0]
        return (1, self.most_samples) if fixed is None else (fixed, fixed)
