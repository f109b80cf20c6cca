"""A file of the published format as one of ours, in memory: every value keeps the place that it has in the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mlharness.manifest.located import Located, read_located
from mlharness.manifest.published.code import put_dataset, put_steps
from mlharness.manifest.published.draft import Draft
from mlharness.manifest.published.files import put_files
from mlharness.manifest.published.frameworks import put_framework
from mlharness.manifest.published.naming import put_attributes, put_descriptions, put_details, put_name, put_version
from mlharness.manifest.published.recognise import DATASET, MODEL, recognise
from mlharness.manifest.published.tensors import put_tensors
from mlharness.manifest.schema import find_departures


def read_upgraded(path: Path) -> Located:
    """Read one file, of either format. Raises ManifestError as :func:`read_located` does."""
    return upgraded(read_located(path))


def upgraded(located: Located) -> Located:
    """The file as one of our format; one of our own, or of neither, as it is.

    What is wrong with it as a published file stands in its ``problems``, by the keys and lines that it has.
    """
    schema = recognise(located.data)
    if schema is None:
        return located
    problems = find_departures(located, schema)
    if problems:
        return replace(located, problems=tuple(problems))
    draft = Draft(located)
    draft.warn("the published MLHarness format: `mlh manifest upgrade` writes ours")
    for put in _STEPS[schema]:
        put(draft)
    return draft.finish()


def _put_model(draft: Draft) -> None:
    draft.put(("kind",), "model", "model")


def _put_dataset(draft: Draft) -> None:
    draft.put(("kind",), "dataset", "init")


_STEPS: Mapping[str, tuple[Callable[[Draft], None], ...]] = {
    MODEL: (
        _put_model, put_name, put_version, put_descriptions, put_framework, put_files, put_tensors, put_steps,
        put_attributes, put_details,
    ),
    DATASET: (_put_dataset, put_name, put_version, put_descriptions, put_dataset, put_attributes, put_details),
}  # fmt: skip
"""What is done to a file of each schema; our keys come out in this order."""
