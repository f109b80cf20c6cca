"""The plugin: what mlharness finds through the entry point. Importing it imports neither TensorFlow nor Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mlharness import hookimpl
from mlharness.onednn import MAX_CPU_ISA, limit_instructions
from mlharness.providers import Array, Complexity, Model, Option, Predictor, SourceProvider, Tracer, TraceRequest
from mlharness.registrars import FrameworkRegistrar, SourceRegistrar, TracerRegistrar
from mlharness_tensorflow import zoo
from mlharness_tensorflow.zoo_uri import FORMATS, SCHEME

OPTIONS = (
    Option("intra_op_num_threads", "integer", "Threads inside one operator, shared by the process; --threads sets it."),
    Option(
        "inter_op_num_threads",
        "integer",
        "Threads that run independent operators, shared by the process; by default one per usable core.",
    ),
    Option("jit_compile", "boolean", "Whether XLA compiles the whole graph, once per shape of a batch.", default=False),
    Option(
        "freeze",
        "boolean",
        "Whether weights become constants of the graph, so that TensorFlow can fold and fuse what follows them.",
        default=True,
    ),
    Option(
        "mixed_precision",
        "boolean",
        "Whether TensorFlow may compute in bfloat16 on a CPU and in float16 on a GPU, where it finds that safe.",
        default=False,
    ),
    Option("signature", "string", "Which signature of a SavedModel is called.", default="serving_default"),
    MAX_CPU_ISA,
)


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load a SavedModel, a ``.keras`` file or a frozen ``.pb``; see :mod:`mlharness_tensorflow.predictor`."""
    from mlharness_tensorflow.predictor import load_predictor

    limit_instructions(options["max_cpu_isa"])
    predictor = load_predictor(model, device, options)
    if trace is not None:
        trace.know(predictor)
    return predictor


def version() -> str:
    """TensorFlow's version."""
    from mlharness_tensorflow.process import import_tensorflow

    return str(import_tensorflow().__version__)


def devices() -> Sequence[str]:
    """The devices that TensorFlow finds here."""
    from mlharness_tensorflow.process import available_devices

    return available_devices()


def complexity(predictor: Any, batch: Mapping[str, Array]) -> Complexity:
    """Parameters and multiply-adds; see :mod:`mlharness_tensorflow.complexity`."""
    from mlharness_tensorflow.complexity import measure

    return measure(predictor, batch)


def open_profiler(request: TraceRequest) -> Tracer:
    """TensorFlow's own profiler; see :mod:`mlharness_tensorflow.traced`."""
    from mlharness_tensorflow.traced import TensorFlowTracer

    return TensorFlowTracer(request)


def open_onednn(request: TraceRequest) -> Tracer:
    """oneDNN's verbose mode, which TensorFlow's oneDNN takes from the environment at its first primitive."""
    from mlharness.trace.onednn import OneDnnTracer

    return OneDnnTracer(request, "tensorflow-onednn")


def no_onednn(request: TraceRequest) -> str:
    """Why there are no primitives to be seen; empty where there are."""
    from mlharness.trace.onednn import unavailable

    if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() in ("0", "false"):
        return "TF_ENABLE_ONEDNN_OPTS switches oneDNN off in TensorFlow"
    return unavailable("TensorFlow", has_onednn=True, device=request.device)


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework(
        "tensorflow",
        load=load,
        version=version,
        devices=devices,
        options=OPTIONS,
        aliases=("TensorFlow", "tf", "keras"),
        requirement="tensorflow-cpu",
        threads="intra_op_num_threads",
        variants={"full": "tensorflow", "gpu": "tensorflow[and-cuda]"},
        complexity=complexity,
        endings=(".keras", ".pb"),
    )


@hookimpl
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    registrar.source(SourceProvider(SCHEME, zoo.locate, zoo.fetch, framework="tensorflow", formats=FORMATS))


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    registrar.tracer(
        "tensorflow-xplane",
        level="framework",
        framework="tensorflow",
        open=open_profiler,
        doc="Operators as TensorFlow's profiler records them; with CUDA also kernels, copies and launches.",
    )
    registrar.tracer(
        "tensorflow-onednn",
        level="library",
        framework="tensorflow",
        open=open_onednn,
        unavailable=no_onednn,
        doc="Primitives of TensorFlow's oneDNN, from its verbose mode.",
    )
