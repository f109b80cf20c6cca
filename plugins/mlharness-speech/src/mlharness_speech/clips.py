"""Sound files with what is said in them, and the data-set kind ``speech`` that lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.errors import UserError, did_you_mean
from mlharness.options import resolve_options
from mlharness.providers import Arrays, Option

OPTIONS = (Option("items", "array", "A list of {file: URI or path, text: what is said}.", required=True),)
_WHAT = "data-set kind 'speech'"
_SHAPE_OF_ITEM = "Write it as {file: URI or path, text: what is said}."


@dataclass(frozen=True)
class Clip:
    """One utterance: its file as it is named, where that lies, and what is said in it."""

    file: str
    path: Path
    text: str


@dataclass(frozen=True)
class Clips:
    """An opened data set; see :class:`mlharness.providers.FileDataSet`. It holds no sound and no open file."""

    items: tuple[Clip, ...]

    def __len__(self) -> int:
        return len(self.items)

    def check(self) -> None:
        """Read every header. Raises UserError naming the first file that is no readable sound, or an empty one."""
        for item in self.items:
            duration(item)

    def file(self, index: int) -> Path:
        """The file of one utterance."""
        return self.items[index].path

    def sample(self, index: int) -> Arrays:
        """The file's bytes, uint8 [bytes]. Raises UserError when the file cannot be read any more."""
        item = self.items[index]
        try:
            return (np.fromfile(item.path, dtype=np.uint8),)
        except OSError as error:
            raise UserError(f"sound {item.file!r} cannot be read: {error}", "Do not change files in a run.") from error

    def label(self, index: int) -> str:
        """What is said, as the data set writes it."""
        return self.items[index].text


def duration(item: Clip) -> float:
    """Seconds, from the file's header. Raises UserError for a file that is no readable sound, or an empty one."""
    import soundfile

    try:
        with soundfile.SoundFile(item.path) as file:
            frames, rate = file.frames, file.samplerate
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(
            f"sound {item.file!r} cannot be read: {error}", "Put a readable sound file there (WAV, FLAC, OGG)."
        ) from error
    if not frames:
        raise UserError(f"sound {item.file!r} holds no samples", "Replace the file.")
    return float(frames / rate)


def open_clips(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Clips:
    """Open the first ``count`` of the listed clips (None: all) without reading them.

    Raises:
        UserError: no items, an item that is not {file, text}, or a file that ``locate`` cannot find.
    """
    items = resolve_options(_WHAT, OPTIONS, options)["items"]
    checked = [check_item(position, item) for position, item in enumerate(items)]
    chosen = checked if count is None else checked[:count]
    if not chosen:
        raise UserError(f"{_WHAT}: items has nothing to use", "List at least one {file, text}, and ask for one.")
    return Clips(tuple(Clip(file, locate(file), text) for file, text in chosen))


def check_item(position: int, item: object) -> tuple[str, str]:
    """File and text of one entry of ``items``. Raises UserError naming the entry, counted from 0."""
    where = f"{_WHAT}: items[{position}]"
    if not isinstance(item, Mapping):
        raise UserError(f"{where} is {item!r}", _SHAPE_OF_ITEM)
    for key in item:
        if key not in ("file", "text"):
            raise UserError(f"{where} has no key {key!r}", did_you_mean(str(key), ("file", "text")))
    for key in ("file", "text"):
        if not isinstance(item.get(key), str) or not item[key].strip():
            raise UserError(f"{where}: {key} is {item.get(key)!r}", _SHAPE_OF_ITEM)
    return item["file"], item["text"]
