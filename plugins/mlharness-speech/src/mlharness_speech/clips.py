"""Sound files with what is said in them, and the data-set kind ``speech`` that lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.errors import UserError
from mlharness.file_items import ItemForm, file_sample
from mlharness.options import resolve_options
from mlharness.providers import Arrays

FORM = ItemForm("speech", "text", "what is said", lambda value: isinstance(value, str) and bool(value.strip()))
OPTIONS = (FORM.option,)


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
        return file_sample(item.path, f"sound {item.file!r}")

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
    items = FORM.choose(resolve_options("data-set kind 'speech'", OPTIONS, options)["items"], count)
    return Clips(tuple(Clip(file, locate(file), text) for file, text in items))
