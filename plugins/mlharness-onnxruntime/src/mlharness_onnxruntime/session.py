"""From a file, a device and options to a session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from mlharness_onnxruntime import devices
from mlharness_onnxruntime.modelfile import refusal

LEVELS = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_MODES = {"sequential": ort.ExecutionMode.ORT_SEQUENTIAL, "parallel": ort.ExecutionMode.ORT_PARALLEL}


def session_options(options: Mapping[str, Any], profile: str = "") -> ort.SessionOptions:
    """ONNX Runtime's settings for the plugin's options; ``profile`` begins the path of a profile that it shall keep."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options["intra_op_num_threads"] or 0
    settings.inter_op_num_threads = options["inter_op_num_threads"]
    settings.execution_mode = _MODES[options["execution_mode"]]
    settings.graph_optimization_level = LEVELS[options["graph_optimization_level"]]
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(options["allow_spinning"])))
    settings.log_severity_level = 3  # errors; warnings about the host's missing GPU say nothing about the model
    if profile:
        settings.enable_profiling, settings.profile_file_prefix = True, profile
    return settings


def open_session(path: Path, device: str, options: Mapping[str, Any], profile: str = "") -> ort.InferenceSession:
    """A session for a file, which keeps a profile where ``profile`` says how the path of that begins.

    Raises:
        UserError: the device or the execution provider is not there or does not work, or ONNX Runtime refuses the file.
    """
    provider = devices.choose(device, options["execution_provider"])
    threads = options["intra_op_num_threads"]
    providers = devices.arguments(provider, device, options["provider_options"], threads)
    settings = session_options(options, profile)
    if provider.name != devices.CPU:
        devices.prepare(provider)
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        # Without enable_fallback=0 a provider that fails is replaced by the CPU, and a line is printed.
        session = ort.InferenceSession(str(path), settings, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise refusal(path, error) from error
    if provider.name != devices.CPU:
        devices.check_provider(session, provider, device)
    return session
