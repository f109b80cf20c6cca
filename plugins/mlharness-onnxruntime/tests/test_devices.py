"""Devices and execution providers: what can be known without a GPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest
from conftest import Load
from mlharness_onnxruntime import devices, plugin

from mlharness.errors import UserError

CPU: tuple[str, dict[str, str]] = ("CPUExecutionProvider", {})


def carries(monkeypatch: pytest.MonkeyPatch, *providers: str) -> None:
    """Let ONNX Runtime's build be one that has these execution providers."""
    names = [*(f"{provider}ExecutionProvider" for provider in providers), "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: names)


@pytest.mark.parametrize("device", ["gpu", "cpu:0", "cuda:0", "cuda", "cuda:", "cuda:x", "cuda:-1", "CPU", ""])
def test_a_device_that_is_not_here(load: Load, linear: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carries(monkeypatch)
    with pytest.raises(UserError, match=f"has no device {device!r} here") as caught:
        load(linear, device)
    assert caught.value.remedy.startswith("Devices here: cpu.")
    assert ("onnxruntime-gpu" in caught.value.remedy) == device.startswith("cuda")


@pytest.mark.parametrize(
    ("wanted", "device", "package"),
    [
        ("cuda", "cuda:0", "onnxruntime-gpu"),
        ("tensorrt", "cuda", "onnxruntime-gpu"),
        ("openvino", "cpu", "onnxruntime-openvino"),
    ],
)
def test_a_provider_that_this_build_lacks_names_its_package(
    load: Load, linear: Path, wanted: str, device: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    carries(monkeypatch)
    with pytest.raises(UserError, match=f"has no execution provider {wanted!r}") as caught:
        load(linear, device, execution_provider=wanted)
    assert caught.value.remedy == f"Run: pip uninstall onnxruntime && pip install {package}. Here: cpu."


@pytest.mark.parametrize(
    ("wanted", "device"), [("cuda", "cpu"), ("tensorrt", "cpu"), ("openvino", "cuda:0"), ("cpu", "cuda")]
)
def test_a_provider_of_another_device(
    load: Load, linear: Path, wanted: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    carries(monkeypatch, "Tensorrt", "CUDA", "OpenVINO")
    with pytest.raises(UserError, match=f"{wanted!r} does not work on the device {device!r}") as caught:
        load(linear, device, execution_provider=wanted)
    assert "--device" in caught.value.remedy


@pytest.mark.parametrize(
    ("device", "wanted", "given", "expected"),
    [
        ("cpu", "auto", None, [CPU]),
        ("cpu", "cpu", {}, [CPU]),
        ("cuda", "auto", None, [("CUDAExecutionProvider", {"device_id": "0"}), CPU]),
        (
            "cuda:3", "cuda", {"cudnn_conv_algo_search": "DEFAULT", "gpu_mem_limit": 1024},
            [
                ("CUDAExecutionProvider",
                 {"device_id": "3", "cudnn_conv_algo_search": "DEFAULT", "gpu_mem_limit": "1024"}),
                CPU,
            ],
        ),
        (
            "cuda:1", "tensorrt", {"trt_fp16_enable": True},
            [
                ("TensorrtExecutionProvider", {"device_id": "1", "trt_fp16_enable": "True"}),
                ("CUDAExecutionProvider", {"device_id": "1"}),
                CPU,
            ],
        ),
        ("cpu", "openvino", None,
         [("OpenVINOExecutionProvider", {"device_type": "CPU", "num_of_threads": "2"}), CPU]),
    ],
)  # fmt: skip
def test_what_a_session_is_told(
    device: str, wanted: str, given: dict[str, Any] | None, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    carries(monkeypatch, "Tensorrt", "CUDA", "OpenVINO")
    assert devices.arguments(devices.choose(device, wanted), device, given, 2) == expected


@pytest.mark.parametrize("name", ["device_id", "device_type", "num_of_threads", "enable_cuda_graph"])
def test_options_that_would_make_another_run(load: Load, linear: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"provider_options may not set {name!r}") as caught:
        load(linear, provider_options={name: 1})
    assert caught.value.remedy


def test_the_cpu_takes_no_provider_options(load: Load, linear: Path) -> None:
    with pytest.raises(UserError, match="the CPU's execution provider has no options"):
        load(linear, provider_options={"threads": 3})


@pytest.mark.parametrize("provider", ["CUDA", "Tensorrt"])
def test_devices_of_a_build_for_gpus(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carries(monkeypatch, provider)
    assert list(plugin.devices()) == ["cpu", "cuda"]


def test_a_silent_fall_back_to_the_cpu_is_an_error(load: Load, linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime goes on without the GPU, and says so only in its log."""
    carries(monkeypatch, "CUDA")
    session = ort.InferenceSession(str(linear), providers=["CPUExecutionProvider"])
    told: dict[str, Any] = {}

    def open_it(*arguments: Any, **options: Any) -> ort.InferenceSession:
        told.update(options)
        return session

    monkeypatch.setattr(ort, "InferenceSession", open_it)
    with pytest.raises(UserError, match="could not open CUDAExecutionProvider on 'cuda:0' and fell back") as caught:
        load(linear, "cuda:0")
    assert "driver" in caught.value.remedy
    assert told["enable_fallback"] == 0


@pytest.mark.parametrize("workers", [["CPUExecutionProvider"], ["CPUExecutionProvider", "CUDAExecutionProvider"]])
def test_a_provider_that_takes_no_part_of_the_model(workers: list[str]) -> None:
    """TensorRT that supports no operator of a model leaves all of it to CUDA."""
    session: Any = SimpleNamespace(
        get_providers=lambda: ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
        get_provider_graph_assignment_info=lambda: [SimpleNamespace(ep_name=name) for name in workers],
    )
    with pytest.raises(UserError, match="TensorrtExecutionProvider takes no part of this model: all of it runs on CPU"):
        devices.check_provider(session, devices.EXECUTION_PROVIDERS["tensorrt"], "cuda:0")


def test_an_onnx_runtime_that_cannot_tell_who_works_is_believed() -> None:
    session: Any = SimpleNamespace(get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    devices.check_provider(session, devices.EXECUTION_PROVIDERS["cuda"], "cuda:0")


def test_who_works_is_read_from_onnx_runtime(linear: Path) -> None:
    settings = ort.SessionOptions()
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = ort.InferenceSession(str(linear), settings, providers=["CPUExecutionProvider"])
    assert devices.working_providers(session) in (["CPUExecutionProvider"], [])


def test_openvino_gives_the_same_numbers(load: Load, linear: Path) -> None:
    """Runs where onnxruntime-openvino is installed in place of onnxruntime."""
    if not devices.EXECUTION_PROVIDERS["openvino"].here:
        pytest.skip("this build of ONNX Runtime has no OpenVINO")
    import numpy as np

    x = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    expected = load(linear).predict({"x": x})
    for ours, theirs in zip(load(linear, execution_provider="openvino").predict({"x": x}), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
