"""Frameworks that answer a volume by windows which slide over it: ``onnxruntime+slide`` and ``torch+slide``.

A sample of KiTS19 is a whole volume, and the network takes a cube of it: one sample needs many calls of the predictor,
which steps cannot make. So a framework is wrapped, and its predictor called for each window; cutting, weighing and
adding up is a part of ``predict``, and thus timed, as in MLPerf's own system.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Complexity, FrameworkProvider, Model, Option, Predictor, TensorSpec
from mlharness.registrars import Catalog, FrameworkRegistrar
from mlharness_medical.geometry import OVERLAP, WINDOW, bell, check_window, starts

FRAMEWORKS = ("onnxruntime", "torch")
"""What can be wrapped, where its plugin is installed."""
ENDING = "+slide"
OPTIONS = (
    Option("window", "array", "The sides of a window, in voxels: what the model takes.", default=WINDOW),
    Option("overlap", "number", "The share of a window that the next one covers too.", default=OVERLAP),
    Option("windows_per_call", "integer", "How many windows the model is given at once, at least 1.", default=1),
)


class WindowedPredictor:
    """Answers volumes by a predictor of windows; one thread uses both.

    Overlapping answers are added up, each times a bell that is largest in the middle of its window, and divided by the
    sum of the bells.
    """

    def __init__(self, inner: Predictor, window: tuple[int, int, int], overlap: float, together: int) -> None:
        self.inner = inner
        self._window, self._overlap, self._together = window, overlap, together
        taken, given = only_input(inner), inner.outputs[0]
        check_sides(taken, window, together)
        free: tuple[int | None, ...] = (None, None, None)
        self.inputs: Sequence[TensorSpec] = (TensorSpec(taken.name, taken.dtype, (None, taken.shape[1], *free)),)
        self.outputs: Sequence[TensorSpec] = (TensorSpec(given.name, given.dtype, (None, given.shape[1], *free)),)
        self._fixed = taken.shape[0] or 0
        self._bell = bell(window).astype(given.dtype)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """The weighted mean of the first output, [n, classes, d, h, w], for volumes [n, channels, d, h, w]."""
        (volumes,) = batch.values()
        if len(volumes) == 1:  # volumes are large, and mostly come alone: nothing is copied
            return [self._volume(volumes[0])[None]]
        return [np.stack([self._volume(volume) for volume in volumes])]

    def _volume(self, volume: Array) -> Array:
        sums: Array | None = None
        weights = np.zeros(volume.shape[1:], self._bell.dtype)
        places = starts(volume.shape[1:], self._window, self._overlap)
        while chosen := list(islice(places, self._together)):
            insides = [(slice(None), *self._inside(place)) for place in chosen]
            answers = self._answers(volume, insides)
            for inside, answer in zip(insides, answers, strict=True):
                if sums is None:
                    sums = np.zeros((len(answer), *volume.shape[1:]), answer.dtype)
                sums[inside] += answer * self._bell
                weights[inside[1:]] += self._bell
        assert sums is not None, "starts gives at least one window"
        sums /= weights
        return sums

    def _inside(self, place: Sequence[int]) -> tuple[slice, ...]:
        return tuple(slice(start, start + side) for start, side in zip(place, self._window, strict=True))

    def _answers(self, volume: Array, insides: list[tuple[slice, ...]]) -> Array:
        # A model of a fixed batch gets the last window again where too few are left.
        whole = [*insides, *insides[-1:] * (self._fixed - len(insides))]
        cubes = np.stack([volume[inside] for inside in whole])
        return self.inner.predict({self.inputs[0].name: cubes})[0][: len(insides)]

    def windows_of(self, batch: Mapping[str, Array]) -> tuple[dict[str, Array], int]:
        """The first window of a batch of volumes, as the inner predictor takes it, and how many a volume has."""
        (volumes,) = batch.values()
        places = list(starts(volumes.shape[2:], self._window, self._overlap))
        first = volumes[:1, :, : self._window[0], : self._window[1], : self._window[2]]
        return {self.inputs[0].name: np.ascontiguousarray(first)}, len(places)

    def close(self) -> Sequence[Any]:
        """Close the inner predictor; its spans."""
        return self.inner.close()


def only_input(inner: Predictor) -> TensorSpec:
    """The model's input. Raises UserError unless it has one, of a batch of volumes, and outputs of the same form."""
    specs = (*inner.inputs, *inner.outputs[:1])
    if len(inner.inputs) != 1 or any(len(spec.shape) != 5 for spec in specs):
        found = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
        raise UserError(
            f"the model has {found}, and windows need one input [n, channels, d, h, w] and an output of that form",
            "Take the framework itself.",
        )
    return inner.inputs[0]


def check_sides(taken: TensorSpec, window: Sequence[int], together: int) -> None:
    """Raise UserError unless the model takes windows of these sides, and so many at once."""
    sides = zip(taken.shape[2:], window, strict=True)
    if any(side not in (None, wanted) for side, wanted in sides):
        raise UserError(
            f"window is {list(window)}, and the model takes {list(taken.shape[2:])}", "Correct option window."
        )
    if together < 1 or taken.shape[0] not in (None, together):
        raise UserError(
            f"windows_per_call is {together}, and the model takes {taken.shape[0] or 'any number from 1'}",
            "Correct option windows_per_call.",
        )


@dataclass(frozen=True)
class Windowed:
    """A framework's functions, around those of another framework."""

    inner: FrameworkProvider

    def load(self, model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
        """Load the model in the inner framework, which has the other options, and wrap its predictor."""
        window = check_window(self.inner.name + ENDING, options["window"], options["overlap"])
        ours = {option.name for option in OPTIONS}
        theirs = {name: value for name, value in options.items() if name not in ours}
        # The manifest's shapes are those of volumes, or the model would be held against them.
        specs = (replace_shapes(model.inputs, window), replace_shapes(model.outputs, window))
        inner = self.inner.load(replace(model, inputs=specs[0], outputs=specs[1]), device, theirs, trace)
        return WindowedPredictor(inner, window, options["overlap"], options["windows_per_call"])

    def version(self) -> str:
        """The inner framework's. Raises UserError when it cannot be imported."""
        try:
            return self.inner.version()
        except ImportError as error:
            raise UserError(
                f"{self.inner.name} cannot be imported: {error}", f"Run: pip install '{self.inner.requirement}'"
            ) from error

    def complexity(self, predictor: Any, batch: Mapping[str, Array]) -> Complexity:
        """That of the inner framework; the multiplications of all windows of the volume."""
        assert self.inner.complexity is not None, "registered only where the inner framework has it"
        one, count = predictor.windows_of(batch)
        found = self.inner.complexity(predictor.inner, one)
        whole = None if found.multiply_adds is None else count * found.multiply_adds
        return Complexity(found.parameters, whole)


def replace_shapes(specs: Sequence[TensorSpec], window: Sequence[int]) -> tuple[TensorSpec, ...]:
    """The manifest's tensors of volumes as the model has them: of windows."""
    return tuple(replace(spec, shape=(*spec.shape[:2], *window)) for spec in specs)


def register(registrar: FrameworkRegistrar) -> None:
    """Register each framework that is installed once more, with windows.

    It names no distribution to install, so that mlharness makes no environments for it: those would hold this plugin
    and the framework, and not the framework's plugin, which is what is wrapped.
    """
    for name in FRAMEWORKS:
        provider = find_framework(name)
        if provider is not None:
            wrapped = Windowed(provider)
            complexity: Callable[..., Complexity] | None = wrapped.complexity if provider.complexity else None
            registrar.framework(
                name + ENDING,
                load=wrapped.load,
                version=wrapped.version,
                devices=provider.devices,
                options=(*provider.options, *OPTIONS),
                aliases=tuple(alias + ENDING for alias in provider.aliases),
                threads=provider.threads,
                complexity=complexity,
                code=provider.code,
            )


def find_framework(name: str) -> FrameworkProvider | None:
    """A framework as its own plugin registers it; None when the plugin is not installed."""
    if importlib.util.find_spec(f"mlharness_{name}") is None:
        return None
    try:
        plugin = importlib.import_module(f"mlharness_{name}.plugin")
    except ImportError:  # `mlh plugins` shows it for that plugin itself
        return None
    catalog = Catalog()
    plugin.mlh_register_frameworks(FrameworkRegistrar(catalog, f"mlharness-{name}"))
    return catalog.frameworks.find(name).provider
