"""The system description: plain JSON, people's fields over the program's, and None where a host does not say."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path

import pytest

from mlharness import system
from mlharness.errors import UserError
from mlharness.system import describe_system, read_human_fields

X86 = """processor\t: 0
model name\t: Fast Processor: 3000
cpu MHz\t\t: 2100.000
flags\t\t: fpu avx2 avx512f hypervisor

processor\t: 1
model name\t: Another
"""
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd sve\n\nprocessor\t: 1\n"


def test_variables_that_tune_a_library_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("SECRET_TOKEN", "told to nobody")
    found = describe_system()["variables"]
    assert found["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert "SECRET_TOKEN" not in found


def test_it_is_plain_json_and_says_where_it_is() -> None:
    described = describe_system()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["host"] == platform.node() == described["mlperf"]["system_name"]
    assert described["memory_bytes"] > 0
    assert described["packages"]["numpy"] == metadata.version("numpy")
    assert described["cpu"]["usable_cores"]


def test_peoples_fields_win(tmp_path: Path) -> None:
    path = tmp_path / "system.json"
    path.write_text(json.dumps({"submitter": "someone", "system_name": "box", "status": "available"}))
    mlperf = describe_system(path)["mlperf"]
    assert (mlperf["submitter"], mlperf["system_name"]) == ("someone", "box")
    assert mlperf["number_of_nodes"] == 1


@pytest.mark.parametrize("text", [None, "{", "[1]", '"text"', '{"a": NaN}', '{"a": Infinity}', b"\xff"])
def test_a_file_that_is_no_json_object(tmp_path: Path, text: str | bytes | None) -> None:
    path = tmp_path / "system.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=r"system\.json") as caught:
        read_human_fields(path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "flags", "virtual"),
    [(X86, ["avx2", "avx512f"], True), (X86.replace("hypervisor", ""), ["avx2", "avx512f"], False)],
)
def test_the_first_processor_counts(
    monkeypatch: pytest.MonkeyPatch, text: str, flags: list[str], virtual: bool
) -> None:
    monkeypatch.setattr(system, "read_text", lambda path: text if path.name == "cpuinfo" else None)
    described = system.describe_cpu()
    assert described["model"] == "Fast Processor: 3000"
    assert described["mhz_now"] == "2100.000"
    assert described["flags"] == flags
    assert described["governor"] is None
    assert described["packages"] == 1
    assert system.virtualised() is virtual


def test_arm_has_features_and_cannot_tell_of_a_hypervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "read_text", lambda path: ARM if path.name == "cpuinfo" else None)
    assert system.describe_cpu()["flags"] == ["asimd", "sve"]
    assert system.describe_cpu()["model"]
    assert system.virtualised() is None


def test_packages_are_counted_by_their_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for core, package in enumerate("0011"):
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(f"{package}\n")
    monkeypatch.setattr(system, "_CPU", tmp_path)
    assert system.cpu_packages() == 2
