"""The plugin: what mlharness finds through the entry point. Importing it does not import CUPTI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlharness import hookimpl
from mlharness.providers import TraceRequest
from mlharness.registrars import TracerRegistrar

if TYPE_CHECKING:
    from mlharness_cupti.tracer import CuptiTracer


def open_tracer(request: TraceRequest) -> CuptiTracer:
    """CUPTI is imported here."""
    from mlharness_cupti.binding import load_cupti
    from mlharness_cupti.tracer import CuptiTracer

    return CuptiTracer(load_cupti())


def unavailable(request: TraceRequest) -> str:
    """Why there are no activities; see :func:`mlharness_cupti.binding.why_not`."""
    from mlharness_cupti.binding import why_not

    return why_not(request)


def no_library(request: TraceRequest) -> str:
    """Why there are no calls of libraries."""
    from mlharness_cupti.binding import NO_CALLS, not_cuda

    return not_cuda(request) or NO_CALLS


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    """``cupti`` and, to say that there is none, ``cupti-library``."""
    registrar.tracer(
        "cupti",
        level="system",
        open=open_tracer,
        doc="Kernels, copies, launches, waits and overhead of CUDA, from CUPTI's activity records.",
        unavailable=unavailable,
    )
    registrar.tracer(
        "cupti-library",
        level="library",
        open=open_tracer,
        doc="Says that CUPTI shows no calls of cuDNN and cuBLAS.",
        unavailable=no_library,
    )
