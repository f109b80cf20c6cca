"""The plugin: what mlharness finds through the entry point. Importing it does not import MXNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlharness import hookimpl
from mlharness.providers import Array, Complexity, Model, Option, Predictor, SourceProvider, Tracer, TraceRequest
from mlharness.registrars import FrameworkRegistrar, SourceRegistrar, TracerRegistrar
from mlharness_mxnet import zoo

OPTIONS = (
    Option("threads", "integer", "OpenMP threads inside one operator; --threads sets it."),
    Option(
        "engine",
        "string",
        "naive: operators run on the instance's own thread; threaded: on threads that all instances share; "
        "auto: naive on the CPU, threaded on CUDA.",
        default="auto",
        choices=("auto", "naive", "threaded"),
    ),
    Option("worker_threads", "integer", "Threads of the threaded engine that run operators, for the process.", 1),
    Option("bulk", "boolean", "Whether the threaded engine takes several operators as one.", default=True),
    Option(
        "subgraph_backend",
        "string",
        "What fuses operators on the CPU: oneDNN (MXNet calls it MKLDNN), or nothing.",
        default="MKLDNN",
        choices=("MKLDNN", "NONE"),
    ),
    Option(
        "wait_policy",
        "string",
        "Whether OpenMP's idle threads sleep (passive) or spin (active), for the process.",
        default="passive",
        choices=("passive", "active"),
    ),
)


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load symbol and parameters, or a file of the zoo; see :class:`mlharness_mxnet.predictor.MxnetPredictor`."""
    if trace is not None:
        predictor: Predictor = trace.load(model, device, options)
        return predictor
    from mlharness_mxnet.predictor import MxnetPredictor

    return MxnetPredictor(model, device, options)


def version() -> str:
    """MXNet's version, without importing it: its settings must be made before. Raises ImportError without MXNet."""
    from mlharness_mxnet.engine import installed_version

    return installed_version()


def devices() -> Sequence[str]:
    """The CPU, and every GPU that a CUDA build of MXNet finds."""
    from mlharness_mxnet.engine import available_devices

    return available_devices()


def complexity(predictor: Any, batch: Mapping[str, Array]) -> Complexity:
    """Parameters and multiply-adds of a loaded network for one sample."""
    from mlharness_mxnet.complexity import measure

    return measure(predictor.network, {name: array.shape for name, array in batch.items()})


def open_profiler(request: TraceRequest) -> Tracer:
    """MXNet's own profiler; see :mod:`mlharness_mxnet.traced`."""
    from mlharness_mxnet.traced import MxnetTracer

    return MxnetTracer(request)


def open_onednn(request: TraceRequest) -> Tracer:
    """oneDNN's verbose mode, which MXNet's oneDNN 2 takes from the environment at its first primitive."""
    from mlharness.trace.onednn import TWO, OneDnnTracer

    return OneDnnTracer(request, "mxnet-onednn", environment=TWO)


def no_onednn(request: TraceRequest) -> str:
    """Why there are no primitives to be seen; empty where there are."""
    from mlharness.trace.onednn import unavailable

    return unavailable("MXNet", has_onednn=True, device=request.device)


def locate(uri: str, sha256: str | None) -> Path | None:
    """The zoo's file in the cache, or None; see :func:`mlharness_mxnet.zoo.locate`."""
    return zoo.locate(uri, sha256)


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework(
        "mxnet",
        load=load,
        version=version,
        devices=devices,
        options=OPTIONS,
        aliases=("MXNet", "Apache MXNet"),
        requirement="mxnet",
        threads="threads",
        variants={"gpu": "mxnet-cu112"},
        complexity=complexity,
        endings=("-symbol.json", ".params"),
    )


@hookimpl
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    registrar.source(SourceProvider("mxnet", locate, zoo.fetch, framework="mxnet"))


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    registrar.tracer(
        "mxnet-profiler",
        level="framework",
        framework="mxnet",
        open=open_profiler,
        doc="Operators as MXNet's profiler records them, with the names and shapes of the graph that ran.",
    )
    registrar.tracer(
        "mxnet-onednn",
        level="library",
        framework="mxnet",
        open=open_onednn,
        unavailable=no_onednn,
        doc="Primitives of MXNet's oneDNN, from its verbose mode.",
    )
