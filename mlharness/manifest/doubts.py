"""What is no mistake in a manifest, and worth a warning: files that others on the way can change, or forge."""

from __future__ import annotations

from collections.abc import Iterator

from mlharness.manifest.files import is_plain
from mlharness.manifest.located import Located
from mlharness.manifest.part import model_files
from mlharness.manifest.problems import Problem
from mlharness.manifest.schema import problem_at


def find_doubts(located: Located) -> Iterator[Problem]:
    """Each model file of a file in our format that comes over plain http, or that only an md5 vouches for."""
    for key, file in model_files(located):
        source = file.get("source") if isinstance(file, dict) else file
        if isinstance(source, str) and is_plain(source):
            at = (*key, "source") if isinstance(file, dict) else key
            yield problem_at(located, at, "plain http, which anyone on the way can change: a run needs --allow-http")
        if isinstance(file, dict) and "md5" in file:
            yield problem_at(located, (*key, "md5"), "an md5 can be forged: write the file's sha256")
