"""The plugin: what mlharness finds through the entry point. Importing it does not import ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness import hookimpl
from mlharness.providers import (
    Array,
    Complexity,
    Model,
    Option,
    Predictor,
    SourceProvider,
    Tracer,
    TraceRequest,
)
from mlharness.registrars import FrameworkRegistrar, SourceRegistrar, TracerRegistrar
from mlharness_onnxruntime import zoo

OPTIONS = (
    Option(
        "execution_provider",
        "string",
        "What computes: auto is the device's own; tensorrt needs --device cuda, openvino works on the CPU.",
        default="auto",
        choices=("auto", "cpu", "cuda", "tensorrt", "openvino"),
    ),
    Option("provider_options", "object", "ONNX Runtime's own options of the execution provider, by name."),
    Option(
        "io_binding",
        "boolean",
        "Whether inputs stay in buffers on the device; left out, with CUDA and TensorRT only.",
    ),
    Option("intra_op_num_threads", "integer", "Threads inside one operator; --threads sets it."),
    Option("inter_op_num_threads", "integer", "Threads that run independent operators, in parallel mode.", default=1),
    Option(
        "execution_mode",
        "string",
        "Whether independent operators run one after another or at once.",
        default="sequential",
        choices=("sequential", "parallel"),
    ),
    Option(
        "graph_optimization_level",
        "string",
        "How far the graph is rewritten when it is loaded.",
        default="all",
        choices=("disabled", "basic", "extended", "all"),
    ),
    Option("allow_spinning", "boolean", "Whether idle threads spin before they sleep.", default=True),
)


NO_KERNELS = "ONNX Runtime shows no kernels below its nodes"


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load an ``.onnx`` file; see :class:`mlharness_onnxruntime.predictor.OnnxRuntimePredictor`."""
    from mlharness_onnxruntime.predictor import OnnxRuntimePredictor

    return OnnxRuntimePredictor(model, device, options, trace)


def version() -> str:
    """ONNX Runtime's version."""
    import onnxruntime

    return str(onnxruntime.__version__)


def devices() -> Sequence[str]:
    """The devices that this build of ONNX Runtime could use."""
    from mlharness_onnxruntime.devices import available_devices

    return available_devices()


def complexity(predictor: Any, batch: Mapping[str, Array]) -> Complexity:
    """Parameters and multiply-adds; see :func:`mlharness_onnxruntime.complexity.complexity`."""
    from mlharness_onnxruntime.complexity import complexity

    return complexity(predictor, batch)


def open_tracer(request: TraceRequest) -> Tracer:
    """The profiles of all sessions; see :class:`mlharness_onnxruntime.tracer.ProfileTracer`."""
    from mlharness_onnxruntime.tracer import ProfileTracer

    return ProfileTracer(request.folder)


def no_kernels(request: TraceRequest) -> Tracer:
    """Never called: what it would open is never available."""
    raise NotImplementedError(NO_KERNELS)


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework(
        "onnxruntime",
        load=load,
        version=version,
        devices=devices,
        options=OPTIONS,
        aliases=("ONNX Runtime", "ort"),
        requirement="onnxruntime",
        threads="intra_op_num_threads",
        variants={"gpu": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"},
        complexity=complexity,
        endings=(".onnx", ".ort"),
    )


@hookimpl
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    registrar.source(SourceProvider("onnxzoo", zoo.locate, zoo.fetch))


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    registrar.tracer(
        "onnxruntime-profile",
        level="framework",
        framework="onnxruntime",
        open=open_tracer,
        doc="Nodes of the optimised graph, from the profile of each session: shapes, sizes, provider, threads.",
    )
    registrar.tracer(
        "onnxruntime-kernels",
        level="library",
        framework="onnxruntime",
        open=no_kernels,
        doc="Says why there is nothing below ONNX Runtime's nodes.",
        unavailable=lambda request: NO_KERNELS,
    )
