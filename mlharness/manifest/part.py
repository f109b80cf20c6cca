"""A model's file as it reads for one of the frameworks that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlharness.manifest.located import KeyPath, Located


@dataclass(frozen=True)
class Part:
    """The keys of a model's file, and where each stands.

    ``framework`` is a name under ``frameworks``, whose keys then hide those at the file's top; None: the top alone.
    """

    located: Located
    framework: str | None = None

    @cached_property
    def own(self) -> Mapping[str, Any]:
        """The alternative's own keys; none for the file's top."""
        return {} if self.framework is None else (self.located.data["frameworks"][self.framework] or {})

    @cached_property
    def data(self) -> dict[str, Any]:
        """Every key that counts, shaped as at the file's top."""
        if self.framework is None:
            return self.located.data
        wish = {key: self.own[key] for key in ("version", "options", "written_for") if key in self.own}
        own = {key: value for key, value in self.own.items() if key not in wish}
        return {**self.located.data, **own, "framework": {"name": self.framework, **wish}}

    def path(self, key: str) -> KeyPath:
        """Where a key stands in the file."""
        return ("frameworks", self.framework, key) if self.framework is not None and key in self.own else (key,)


def parts(located: Located) -> Iterator[Part]:
    """The file's top, then each of its other frameworks. What has the wrong type is passed over."""
    yield Part(located)
    others = located.data.get("frameworks")
    for name, about in others.items() if isinstance(others, dict) else ():
        if isinstance(about, dict) or about is None:
            yield Part(located, name)


def model_files(located: Located) -> Iterator[tuple[KeyPath, object]]:
    """The model files at the file's top and of each other framework, with their paths, whatever stands there."""
    for part in parts(located):
        model = part.data.get("model") if part.framework is None or "model" in part.own else None
        files = model.get("files") if isinstance(model, dict) else None
        for index, file in enumerate(files if isinstance(files, list) else []):
            yield (*part.path("model"), "files", index), file
