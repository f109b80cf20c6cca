"""The plugin: what mlharness finds through the entry point. Importing it does not import ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness import hookimpl
from mlharness.providers import Model, Option, Predictor
from mlharness.registrars import FrameworkRegistrar

OPTIONS = (
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


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load an ``.onnx`` file; see :class:`mlharness_onnxruntime.predictor.OnnxRuntimePredictor`."""
    from mlharness_onnxruntime.predictor import OnnxRuntimePredictor

    return OnnxRuntimePredictor(model, device, options)


def version() -> str:
    """ONNX Runtime's version."""
    import onnxruntime

    return str(onnxruntime.__version__)


def devices() -> Sequence[str]:
    """The devices that this build of ONNX Runtime could use."""
    from mlharness_onnxruntime.predictor import available_devices

    return available_devices()


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
    )
