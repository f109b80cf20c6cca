"""The analyses by number and name, and how one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlharness.analysis import kernels, layers, model, roofline
from mlharness.analysis.table import Table, absent
from mlharness.analysis.traced import Traced
from mlharness.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Analysis:
    """One of XSP's analyses. ``needs`` are keys of :attr:`Traced.missing`: without one of them there is no table."""

    number: str
    name: str
    title: str
    make: Callable[[Traced], Table]
    needs: Sequence[str] = ()

    def missing(self, traced: Traced) -> str:
        """Why a run does not give it; empty when it does."""
        return "; ".join(traced.missing[need] for need in self.needs if need in traced.missing)

    def run(self, traced: Traced) -> Table:
        """The table, or why there is none."""
        reason = self.missing(traced)
        return absent(reason) if reason else self.make(traced)


_LAYERS, _KERNELS = ("layers",), ("layers", "kernels")
ANALYSES = (
    Analysis("A1", "model-information", "Model information", model.model_information),
    Analysis("A2", "layer-information", "Layer information", layers.layer_information, _LAYERS),
    Analysis("A3", "layer-latency", "Layer latency", layers.layer_latency, _LAYERS),
    Analysis("A4", "layer-memory", "Layer memory", layers.layer_memory, _LAYERS),
    Analysis("A5", "layer-types", "Layer type distribution", layers.layer_types, _LAYERS),
    Analysis("A6", "latency-by-type", "Layer latency by type", layers.latency_by_type, _LAYERS),
    Analysis("A7", "memory-by-type", "Layer memory by type", layers.memory_by_type, _LAYERS),
    Analysis("A8", "kernel-information", "Kernel information", kernels.kernel_information, ("kernels",)),
    Analysis("A9", "kernel-roofline", "Kernel roofline", roofline.kernel_roofline, ("kernels", "peaks")),
    Analysis("A10", "kernels-by-name", "Kernels by name", kernels.kernels_by_name, ("kernels",)),
    Analysis("A11", "kernels-by-layer", "Kernels by layer", kernels.kernels_by_layer, _KERNELS),
    Analysis("A12", "metrics-by-layer", "Kernel metrics by layer", kernels.metrics_by_layer, _KERNELS),
    Analysis("A13", "kernel-time", "Kernel and non-kernel time per layer", kernels.kernel_time, _KERNELS),
    Analysis("A14", "layer-roofline", "Layer roofline", roofline.layer_roofline, ("layers", "peaks")),
    Analysis("A15", "kernels-by-model", "Kernels by model", kernels.kernels_by_model, ("kernels",)),
)
"""In the order and with the numbers of XSP."""


def find_analysis(word: str) -> Analysis:
    """An analysis by its number or name, however it is capitalised.

    Raises:
        UserError: there is none of that name.
    """
    for analysis in ANALYSES:
        if word.lower() in (analysis.number.lower(), analysis.name):
            return analysis
    known = [word for analysis in ANALYSES for word in (analysis.number, analysis.name)]
    raise UserError(f"there is no analysis {word!r}", did_you_mean(word, known))
