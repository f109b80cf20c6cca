"""Devices and execution providers: which of them this build of ONNX Runtime has, and whether one really works."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort

from mlharness.errors import UserError

CPU = "CPUExecutionProvider"


@dataclass(frozen=True)
class ExecutionProvider:
    """``name`` is ONNX Runtime's, ``device`` the kind of device it works on, ``package`` the distribution with it."""

    name: str
    device: str
    package: str

    @property
    def here(self) -> bool:
        """Whether this build has it; whether it works shows when a model is loaded."""
        return self.name in ort.get_available_providers()


EXECUTION_PROVIDERS = {
    "cpu": ExecutionProvider(CPU, "cpu", "onnxruntime"),
    "cuda": ExecutionProvider("CUDAExecutionProvider", "cuda", "onnxruntime-gpu"),
    "tensorrt": ExecutionProvider("TensorrtExecutionProvider", "cuda", "onnxruntime-gpu"),
    "openvino": ExecutionProvider("OpenVINOExecutionProvider", "cpu", "onnxruntime-openvino"),
}
_OWNED = {
    "device_id": "--device cuda:N chooses the device.",
    "device_type": "mlharness knows OpenVINO on the CPU only.",
    "num_of_threads": "--threads sets it.",
    "enable_cuda_graph": "CUDA graphs are not supported here.",
    "trt_cuda_graph_enable": "CUDA graphs are not supported here.",
}
"""Provider options that would make a run other than the plan says."""


def available_devices() -> list[str]:
    """``cpu``, and ``cuda`` when this build carries a provider for it (whether a GPU answers shows at load)."""
    cuda = any(provider.here for provider in EXECUTION_PROVIDERS.values() if provider.device == "cuda")
    return ["cpu", *(["cuda"] if cuda else [])]


def choose(device: str, wanted: str) -> ExecutionProvider:
    """The execution provider for a device: ``wanted``, or for ``auto`` the device's own.

    Raises:
        UserError: there is no such device, the provider works on another one, or this build does not carry it.
    """
    kind, _, number = device.partition(":")
    if not (device in ("cpu", "cuda") or (kind == "cuda" and number.isdecimal())):
        raise _no_device(device)
    provider = EXECUTION_PROVIDERS[kind if wanted == "auto" else wanted]
    if provider.device != kind:
        raise UserError(
            f"the execution provider {wanted!r} does not work on the device {device!r}",
            f"Choose --device {provider.device}, or leave execution_provider at auto.",
        )
    if not provider.here:
        raise _no_device(device, provider) if wanted == "auto" else _not_in_this_build(wanted, provider)
    return provider


def arguments(
    provider: ExecutionProvider, device: str, given: Mapping[str, Any] | None, threads: int | None
) -> list[tuple[str, dict[str, str]]]:
    """What a session is told: execution providers with options, first choice first; the CPU takes what they leave.

    Raises UserError for an option that belongs to ``--device`` or ``--threads``, or that cannot be supported.
    """
    for name in given or {}:
        if name in _OWNED:
            raise UserError(f"provider_options may not set {name!r}", _OWNED[name])
    options = {name: str(value) for name, value in (given or {}).items()}
    if provider.name == CPU:
        if options:
            raise UserError("the CPU's execution provider has no options", "Leave provider_options out.")
        return [(CPU, {})]
    if provider.device == "cpu":
        own = {"device_type": "CPU", **({"num_of_threads": str(threads)} if threads else {})}
        return [(provider.name, {**own, **options}), (CPU, {})]
    own = {"device_id": device.partition(":")[2] or "0"}
    # What TensorRT does not take stays on the GPU.
    rest = [("CUDAExecutionProvider", own)] if provider.name != "CUDAExecutionProvider" else []
    return [(provider.name, {**own, **options}), *rest, (CPU, {})]


def prepare(provider: ExecutionProvider) -> None:
    """Find CUDA's libraries where pip installs them; ONNX Runtime itself looks only where the system does."""
    if provider.device == "cuda" and hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it misses; check_provider tells the outcome
            ort.preload_dlls()


def check_provider(session: ort.InferenceSession, provider: ExecutionProvider, device: str) -> None:
    """Raise UserError when ONNX Runtime fell back to the CPU, which it does with no more than a line in its log."""
    if provider.name not in session.get_providers():
        raise UserError(
            f"ONNX Runtime could not open {provider.name} on {device!r} and fell back to the CPU",
            "Check the driver, and CUDA's libraries: pip install 'onnxruntime-gpu[cuda,cudnn]'."
            if provider.device == "cuda"
            else f"Check provider_options, or reinstall {provider.package}.",
        )
    workers = working_providers(session)
    if workers and provider.name not in workers:
        raise UserError(
            f"{provider.name} takes no part of this model: all of it runs on {', '.join(workers)}",
            "Leave execution_provider at auto, or use a model whose operators it supports.",
        )


def working_providers(session: ort.InferenceSession) -> Sequence[str]:
    """The execution providers that were given nodes; empty where ONNX Runtime is too old to tell."""
    assigned = getattr(session, "get_provider_graph_assignment_info", None)
    return sorted({part.ep_name for part in assigned()}) if assigned else []


def _no_device(device: str, provider: ExecutionProvider | None = None) -> UserError:
    remedy = f"Devices here: {', '.join(available_devices())}."
    if provider is not None or device.startswith("cuda"):
        remedy += " For CUDA: pip uninstall onnxruntime && pip install onnxruntime-gpu."
    return UserError(f"ONNX Runtime {ort.__version__} has no device {device!r} here", remedy)


def _not_in_this_build(wanted: str, provider: ExecutionProvider) -> UserError:
    known = ", ".join(name for name, other in EXECUTION_PROVIDERS.items() if other.here)
    return UserError(
        f"this build of ONNX Runtime {ort.__version__} has no execution provider {wanted!r}",
        f"Run: pip uninstall onnxruntime && pip install {provider.package}. Here: {known}.",
    )
