"""What mlharness adds on each framework, and how fast the same models are on all of them.

Frameworks that run here or in an environment of ``mlh env create`` take part; the others are named, with the command
that makes them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.box import MARKDOWN
from rich.table import Table

from mlharness.networks import Network, differences
from tests.benchmarks.measure import Row, mlh_bench
from tests.benchmarks.pairs import Subject, offline, single_stream

FRAMEWORKS = ("onnxruntime", "torch", "tensorflow", "mxnet")
PAIRED = ("resnet50", "mobilenet-v2")
MODELS = ("alexnet", "vgg16", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "mobilenet-v2")


@dataclass(frozen=True)
class Asked:
    """What to measure; empty: all. Seconds a test."""

    frameworks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    duration_s: float = 5.0


@dataclass(frozen=True)
class Cell:
    """One model on one framework, Offline; counts are None where the framework cannot tell."""

    model: str
    framework: str
    version: str = ""
    samples_per_second: float | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    note: str = ""

    @property
    def network(self) -> Network:
        """What tells its network from others."""
        return Network(self.framework, self.parameters, self.multiply_adds)


def missing(model: str, framework: str) -> str:
    """Why a model cannot be run on a framework, and the remedy, as ``mlh`` says it; empty when it can."""
    command = [sys.executable, "-m", "mlharness", "bench", model, "--framework", framework, "--dry-run", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join(done.stderr.split()) if done.returncode else ""


def rows(root: Path, repeat: int, asked: Asked) -> Iterator[Row]:
    """For each framework and model: SingleStream and Offline, beside a minimal SUT around the same predictor."""

    def of_one(model: str, framework: str) -> Iterator[Row]:
        subject = Subject(model, framework, asked.duration_s)
        yield from single_stream(root, subject, repeat)
        yield from offline(root, subject, repeat)

    return each(asked, of_one)


def each(asked: Asked, of_one: Callable[[str, str], Iterator[Row]]) -> Iterator[Row]:
    """The rows of every model on every framework; why there are none where it cannot run."""
    for framework in asked.frameworks or FRAMEWORKS:
        for model in asked.models or PAIRED:
            if reason := missing(model, framework):
                yield Row(f"{model} on {framework}", "", f"not measured: {reason}", True)
            else:
                yield from of_one(model, framework)


def table(root: Path, asked: Asked) -> Table:
    """Models x frameworks: Offline's samples a second, and what each network is, in Markdown."""
    found = Table("model", "framework", "samples/s", "parameters", "multiply-adds", "network", box=MARKDOWN)
    for model in asked.models or MODELS:
        cells = [measured(root, model, framework, asked) for framework in asked.frameworks or FRAMEWORKS]
        for cell, apart in zip(cells, differences([cell.network for cell in cells]), strict=True):
            row = as_text(cell, f"DIFFERS: {apart}" if apart else "")
            found.add_row(*row)
            print(" | ".join(row), file=sys.stderr, flush=True)
    return found


def measured(root: Path, model: str, framework: str, asked: Asked) -> Cell:
    """Run one cell. One that fails says why, and the table goes on."""
    if reason := missing(model, framework):
        return Cell(model, framework, note=f"not measured: {reason}")
    options = ("--framework", framework, "--scenario", "Offline", "--duration", f"{asked.duration_s:g}")
    try:
        result, _ = mlh_bench(root, model, *options)
    except RuntimeError as error:
        return Cell(model, framework, note=f"failed: {error}")
    about = result["model"]
    return Cell(
        model, framework, result["framework"]["version"], result["metric"]["value"],
        about["parameters"], about["multiply_adds"],
    )  # fmt: skip


def as_text(cell: Cell, apart: str) -> tuple[str, ...]:
    """A cell as a row; what is not known is a dash."""
    rate = "-" if cell.samples_per_second is None else f"{cell.samples_per_second:.1f}"
    counts = ("-" if count is None else f"{count:,}" for count in (cell.parameters, cell.multiply_adds))
    return (cell.model, f"{cell.framework} {cell.version}".strip(), rate, *counts, cell.note or apart)
