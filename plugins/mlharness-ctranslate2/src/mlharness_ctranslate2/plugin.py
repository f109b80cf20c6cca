"""The plugin: what mlharness finds through the entry point. Importing it does not import CTranslate2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlharness import hookimpl
from mlharness.providers import Model, Option, Predictor
from mlharness.registrars import FrameworkRegistrar

COMPUTE_TYPES = (
    "default", "auto", "float32", "float16", "bfloat16", "int16",
    "int8", "int8_float32", "int8_float16", "int8_bfloat16",
)  # fmt: skip
OPTIONS = (
    Option(
        "compute_type",
        "string",
        "In what the model computes: default is what its file was saved in, or the nearest that the device can.",
        default="default",
        choices=COMPUTE_TYPES,
    ),
    Option("beam_size", "integer", "How many texts are followed at once; 1 is the greedy search.", default=1),
    Option("max_length", "integer", "The most tokens of a text, the prompt's included, and the length of a row.", 448),
    Option("language", "string", "The language that is spoken, as en; for multilingual models.", default="en"),
    Option(
        "task",
        "string",
        "What multilingual models do: write what is said, or its English.",
        default="transcribe",
        choices=("transcribe", "translate"),
    ),
    Option("prompt", "array", "Tokens that the text begins with, in the place of those of language and task."),
    Option("intra_threads", "integer", "Threads inside one operator; --threads sets it."),
)


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load a Whisper model; see :class:`mlharness_ctranslate2.predictor.WhisperPredictor`."""
    from mlharness_ctranslate2.predictor import WhisperPredictor

    return WhisperPredictor(model, device, options)


def version() -> str:
    """CTranslate2's version."""
    import ctranslate2

    return str(ctranslate2.__version__)


def devices() -> Sequence[str]:
    """``cpu``, and ``cuda`` when there is a GPU that this build of CTranslate2 can use."""
    import ctranslate2

    return ["cpu", *(["cuda"] if ctranslate2.get_cuda_device_count() else [])]


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    registrar.framework(
        "ctranslate2",
        load=load,
        version=version,
        devices=devices,
        options=OPTIONS,
        aliases=("CTranslate2", "ct2"),
        requirement="ctranslate2",
        threads="intra_threads",
    )
