"""What mlharness finds through the entry point. Importing it imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlharness import hookimpl
from mlharness.providers import Model, Option, Predictor
from mlharness.registrars import FrameworkRegistrar, ManifestRegistrar, StepRegistrar
from mlharness_example.steps import make_centre


def load(model: Model, device: str, options: Mapping[str, Any], trace: Any = None) -> Predictor:
    """Load the model's first file; the framework is imported here."""
    from mlharness_example.predictor import load_matrix

    return load_matrix(model, device, factor=options["factor"])


def version() -> str:
    """The framework's version; here NumPy's, since NumPy does the work."""
    import numpy as np

    return str(np.__version__)


@hookimpl
def mlh_register_frameworks(registrar: FrameworkRegistrar) -> None:
    """The framework ``example``."""
    factor = Option("factor", "number", "What the matrix is multiplied by when it is loaded.", default=1.0)
    registrar.framework("example", load=load, version=version, options=(factor,), requirement="numpy")


@hookimpl
def mlh_register_steps(registrar: StepRegistrar) -> None:
    """The step ``example.centre``."""
    middle = Option("middle", "number", "What becomes zero.", required=True)
    registrar.step("example.centre", make_centre, parameters=(middle,))


@hookimpl
def mlh_register_manifests(registrar: ManifestRegistrar) -> None:
    """The model ``example-model`` and the data set ``example-data``."""
    registrar.folder(Path(__file__).parent / "manifests")
