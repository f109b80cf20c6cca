"""What the figures stand on: how to make the run again, the system, the settings, the environment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlharness.reporting.command import lines_of
from mlharness.reporting.files import Document, RunFiles
from mlharness.reporting.page import Cell, Column, Section, make_table
from mlharness.reporting.rendering import render

Facts = list[tuple[str, str]]


def reproduction(files: RunFiles) -> Section:
    """The command that gives the same plan, and by what to know the same run."""
    result = files.result or {}
    ran = result.get("framework", {})
    version = f"{ran['name']} {ran['version']}" if ran.get("version") else ""
    command = lines_of(files.plan) if files.plan else ""
    identity = {
        "run": files.run_id,
        "directory": str(files.directory),
        "plan (sha256)": result.get("plan_sha256"),
        "outputs (sha256)": outputs(result.get("fingerprint")),
    }
    return Section("Reproduce", render("run/reproduce.html", command=command, version=version, facts=told(identity)))


def outputs(fingerprint: Document | None) -> str:
    """The fingerprint of the model's outputs."""
    return f"{fingerprint['sha256']} (of the first {fingerprint['samples']} samples)" if fingerprint else ""


def system(files: RunFiles) -> Section | None:
    """The host."""
    known = files.system or (files.result or {}).get("system")
    if not known:
        return None
    cpu = known.get("cpu")
    about: Document = cpu if isinstance(cpu, Mapping) else {"model": cpu}  # a result has the model alone
    cores, virtual = about.get("usable_cores", known.get("usable_cores")), known.get("virtualised")
    facts: dict[str, Any] = {
        "host": known.get("host"),
        "processor": about.get("model"),
        "usable cores": len(cores) if isinstance(cores, list) else cores,
        "instruction sets": ", ".join(map(str, about.get("flags") or ())),
        "governor": about.get("governor"),
        "memory": gibibytes(known.get("memory_bytes")),
        "operating system": known.get("os"),
        "kernel": known.get("kernel"),
        "virtual machine": None if virtual is None else "yes" if virtual else "no",
        "load average when the run began": ", ".join(map(str, known.get("load_average") or ())),
        "Python": known.get("python"),
    }
    mlperf = {key: value for key, value in (known.get("mlperf") or {}).items() if value is not None}
    html = render("facts.html", facts=told(facts), more="MLPerf's system description", rest=told(mlperf))
    return Section("System", html)


def gibibytes(size: Any) -> str:
    """A size in bytes in GiB; empty when it is none."""
    return f"{size / 2**30:.1f} GiB" if isinstance(size, int) else ""


def settings(files: RunFiles) -> Section | None:
    """Model, framework, data set, and all that LoadGen was given."""
    result = files.result
    if not result:
        return None
    model, framework, dataset = result["model"], result["framework"], result["dataset"]
    batch = f"{framework['batch_size']}"
    facts = {
        "model": f"{model['name']} {model['version']} ({model['weights']} weights)",
        "manifest (sha256)": model["manifest_sha256"],
        **{f"{file['path']} (sha256)": file["sha256"] for file in model["files"]},
        "parameters": counted(model.get("parameters")),
        "multiply-adds of a sample": counted(model.get("multiply_adds")),
        "framework": " ".join(filter(None, (framework["name"], framework["version"]))),
        "plugin": framework["plugin"],
        "device": framework["device"],
        "instances": f"{framework['instances']} x {framework['threads']} threads",
        "batch": batch
        + (f", filled for up to {framework['max_wait_us']:,} µs" if framework.get("max_wait_us") else ""),
        **{f"option {key}": value for key, value in framework["options"].items() if value is not None},
        "interpreter": framework["environment"],
        "data set": dataset["name"],
        "samples": counted(dataset["count"]),
        "samples in memory": counted(dataset["loaded"]),
        "began": result["started"],
        "ended": result["finished"],
    }
    given = (result["calibration"] or {}).get("settings", {})
    return Section("Set-up", render("facts.html", facts=told(facts), more="LoadGen's settings", rest=told(given)))


def environment(files: RunFiles) -> Section | None:
    """The packages of the environment that measured; None where nobody has listed them."""
    packages = files.system.get("packages")
    if not packages:
        return None
    rows = [[Cell(name), Cell(version)] for name, version in packages.items()]
    table = make_table((Column("Package"), Column("Version")), rows, kind="narrow")
    return Section("Environment", render("run/environment.html", table=table, count=len(rows)))


def counted(number: int | None) -> str:
    """A number with separators; empty for None."""
    return "" if number is None else f"{number:,}"


def told(facts: Mapping[str, Any]) -> Facts:
    """Names and values in words, without those of which nothing is known."""
    return [(name, text) for name, text in _words(facts) if text]


def _words(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, str):
            yield name, value
        elif value is not None:
            yield name, json.dumps(value, ensure_ascii=False)
