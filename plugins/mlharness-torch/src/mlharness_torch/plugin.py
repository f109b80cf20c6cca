"""The plugin: what mlharness finds through the entry point. Importing it does not import PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness import hookimpl
from mlharness.onednn import MAX_CPU_ISA, limit_instructions
from mlharness.providers import Array, Complexity, Model, Option, Predictor, Tracer, TraceRequest
from mlharness.registrars import FrameworkRegistrar, SourceRegistrar, TracerRegistrar
from mlharness_torch.zoo.source import make_source

OPTIONS = (
    Option("intra_op_num_threads", "integer", "Threads inside one operator, on the CPU; --threads sets it."),
    Option("inter_op_num_threads", "integer", "Threads that run forked parts of a TorchScript, one pool a process."),
    Option(
        "precision",
        "string",
        "What convolutions and matrix products are computed in, by autocast where it is not float32.",
        default="float32",
        choices=("float32", "bfloat16", "float16"),
    ),
    Option("channels_last", "boolean", "Whether images and weights of four axes lie in memory as NHWC.", default=False),
    Option(
        "compile",
        "string",
        "The mode of torch.compile, or none to run the model as it is.",
        default="none",
        choices=("none", "default", "reduce-overhead", "max-autotune"),
    ),
    Option("pinned_memory", "boolean", "CUDA: whether copies go through page-locked memory.", default=True),
    Option(
        "cuda_graphs", "boolean", "CUDA: whether each shape of batch is recorded once, and replayed.", default=False
    ),
    MAX_CPU_ISA,
)

PRIMITIVES = "torch-onednn"
TIMESTAMPS = {"ONEDNN_VERBOSE_TIMESTAMP": "1"}
"""What oneDNN reads when it is first switched on; ``ONEDNN_VERBOSE`` would have it print from the beginning."""


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load a model; see :class:`mlharness_torch.predictor.TorchPredictor`."""
    limit_instructions(options["max_cpu_isa"])
    if trace is not None:
        from mlharness_torch.watched import WatchedPredictor

        return WatchedPredictor(model, device, options, trace)
    from mlharness_torch.predictor import TorchPredictor

    return TorchPredictor(model, device, options)


def version() -> str:
    """PyTorch's version, without the build's own suffix, which no range of a manifest asks for."""
    import torch

    return str(torch.__version__).partition("+")[0]


def devices() -> Sequence[str]:
    """The devices that are here."""
    from mlharness_torch.device import available_devices

    return available_devices()


def complexity(predictor: Any, batch: Mapping[str, Array]) -> Complexity:
    """Parameters and multiply-adds; see :func:`mlharness_torch.complexity.measure`."""
    from mlharness_torch.complexity import measure

    return measure(predictor, batch)


def open_tracer(request: TraceRequest) -> Tracer:
    """Operators, and with CUDA what they launch; see :class:`mlharness_torch.kineto.KinetoTracer`."""
    from mlharness_torch.kineto import KinetoTracer

    return KinetoTracer(request)


def why_no_operators(request: TraceRequest) -> str:
    """Why this PyTorch cannot be traced; see :func:`mlharness_torch.kineto.unavailable`."""
    from mlharness_torch.kineto import unavailable

    return unavailable(request)


def open_primitives(request: TraceRequest) -> Tracer:
    """oneDNN's primitives; PyTorch switches its lines on and off while it runs."""
    import torch

    from mlharness.trace.onednn import OneDnnTracer

    mkldnn = torch.backends.mkldnn
    lines = mkldnn.verbose(mkldnn.VERBOSE_ON)
    return OneDnnTracer(
        request, PRIMITIVES, environment=TIMESTAMPS, switch_on=lines.__enter__,
        switch_off=lambda: lines.__exit__(None, None, None),
    )  # fmt: skip


def why_no_primitives(request: TraceRequest) -> str:
    """Why there are none of oneDNN in this run; empty when there may be."""
    import torch

    from mlharness.trace.onednn import unavailable

    return unavailable("PyTorch", torch.backends.mkldnn.is_available(), request.device)


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework(
        "torch",
        load=load,
        version=version,
        devices=devices,
        options=OPTIONS,
        aliases=("PyTorch",),
        requirement="torch",
        threads="intra_op_num_threads",
        complexity=complexity,
        code=("torch.model",),
        endings=(".pt", ".pt2", ".pth", ".safetensors"),
    )


@hookimpl
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    registrar.source(make_source("torchvision"))
    registrar.source(make_source("timm"))


@hookimpl
def mlh_register_tracers(registrar: TracerRegistrar) -> None:
    registrar.tracer(
        "torch-kineto",
        level="framework",
        framework="torch",
        open=open_tracer,
        doc="Operators, by PyTorch's own profiler; on a GPU, with the level system, CUDA's kernels and copies as well.",
        unavailable=why_no_operators,
    )
    registrar.tracer(
        PRIMITIVES,
        level="library",
        framework="torch",
        open=open_primitives,
        doc="oneDNN's primitives below PyTorch's operators: implementation, formats, shape, estimated work.",
        unavailable=why_no_primitives,
    )
