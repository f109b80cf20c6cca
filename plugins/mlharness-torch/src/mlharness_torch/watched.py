"""A predictor whose calls are recorded."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from time import time_ns
from typing import Any

import torch

from mlharness.providers import Array, Model
from mlharness_torch.kineto import KinetoTracer
from mlharness_torch.predictor import TorchPredictor
from mlharness_torch.profiling import ONE_PROFILE, profile
from mlharness_torch.reference import refer


class WatchedPredictor(TorchPredictor):
    """Tells the tracer when it was called with what, and hides from it the calls that are too many."""

    def __init__(self, model: Model, device: str, options: Mapping[str, Any], tracer: KinetoTracer) -> None:
        self._compiled = options["compile"] != "none"
        if self._compiled:
            import torch._inductor.config as inductor

            inductor.cpp.enable_kernel_profile = True  # or fused kernels would not be seen on a CPU
        super().__init__(model, device, options)
        self._tracer, self._calls = tracer, tracer.calls()
        self._calls.thread = threading.get_native_id()

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """As the plain one."""
        calls = self._calls
        if not self._tracer.running:
            return self._counted(batch) if calls.counts() else super().predict(batch)
        form = calls.form(batch)
        if not calls.wanted():
            return self._unseen(batch)
        start = time_ns()
        outputs = super().predict(batch)
        calls.add(start, time_ns(), form)
        return outputs

    def close(self) -> Sequence[Any]:
        """Call the model once more with each form of batch, for all that there is to know about its operators."""
        for form, batch in self._calls.batches.items():
            try:
                with ONE_PROFILE:
                    self._calls.references[form] = refer(partial(self._plain, batch), self.module, self._compiled)
            except Exception as error:  # noqa: BLE001  # whatever PyTorch raises: the operators lack shapes, no more
                self._calls.notes.append(f"a form of batch has no shapes: {type(error).__name__}: {error}")
        return super().close()

    def _plain(self, batch: dict[str, Array]) -> list[Array]:
        return super().predict(batch)

    def _counted(self, batch: dict[str, Array]) -> list[Array]:
        with ONE_PROFILE, profile() as found:
            outputs = super().predict(batch)
        self._calls.count(len(found.kineto_results.events()))
        return outputs

    def _unseen(self, batch: dict[str, Array]) -> list[Array]:
        torch.autograd._enable_record_function(False)
        try:
            return super().predict(batch)
        finally:
            torch.autograd._enable_record_function(True)
