"""The data-set kind ``librispeech``: the corpus as it is distributed, or as MLPerf's reference scripts lay it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError, did_you_mean
from mlharness.providers import Option
from mlharness_speech.clips import Clip, Clips, duration

WHAT = "LibriSpeech"
SOURCE = "https://www.openslr.org/12, CC-BY-4.0"
SPLITS = (
    "dev-clean", "dev-other", "test-clean", "test-other", "train-clean-100", "train-clean-360", "train-other-500",
)  # fmt: skip
OPTIONS = (
    ROOT,
    Option("split", "string", "A part of the corpus as it is distributed, as dev-clean."),
    Option("manifest", "string", "MLPerf's list of its own layout, from the root, as dev-clean-wav.json."),
    Option("max_duration", "number", "Longer clips are left out, as MLPerf does; in seconds."),
    Option("samples", "integer", "How many clips there must be, so that nothing is missing unnoticed."),
)


def open_librispeech(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Clips:
    """Open the first ``count`` clips (None: all) in the order of the names, or in that of MLPerf's list.

    Raises:
        UserError: not exactly one of split and manifest, a folder or file that is not there, a list or a transcript
            that is malformed, or another number of clips than ``samples``.
    """
    split, manifest, longest = options["split"], options["manifest"], options["max_duration"]
    if (split is None) == (manifest is None):
        raise UserError(f"{WHAT}: give either split or manifest", f"Splits: {', '.join(SPLITS)}.")
    if split is not None:
        clips = list(of_split(split_folder(options["root"], split)))
        kept = clips if longest is None else [clip for clip in clips if duration(clip) <= longest]
    else:
        folder = data_root(options["root"], WHAT, (manifest,), f"{SOURCE}; made by MLPerf's scripts")
        kept = [clip for clip, seconds in of_list(folder, manifest) if longest is None or seconds <= longest]
    check_number(kept, options["samples"], longest)
    return Clips(tuple(kept[:count]))


def check_number(clips: list[Clip], wanted: int | None, longest: float | None) -> None:
    """Raise UserError unless there are clips, and as many as the option samples says."""
    of = f" of at most {longest:g} s" if longest is not None else ""
    if not clips:
        raise UserError(f"{WHAT}: there are no clips{of}", "Check root, split, manifest and max_duration.")
    if wanted not in (None, len(clips)):
        raise UserError(
            f"{WHAT}: samples is {wanted}, and there are {len(clips)} clips{of}", "Fetch or unpack the corpus again."
        )


def split_folder(root: str | None, split: str) -> Path:
    """The folder of a split, which may lie in the archive's own folder. Raises UserError for one that is not there."""
    if split not in SPLITS:
        raise UserError(f"{WHAT} has no split {split!r}", did_you_mean(split, SPLITS))
    folder = data_root(root, WHAT, (), SOURCE)
    inside = "LibriSpeech" if (folder / "LibriSpeech" / split).is_dir() else "."
    return data_root(str(folder / inside), WHAT, (split,), SOURCE) / split


def of_split(folder: Path) -> Iterator[Clip]:
    """The clips of ``SPEAKER/CHAPTER/*.flac`` by name, with the words of ``SPEAKER-CHAPTER.trans.txt`` beside them.

    Raises:
        UserError: a chapter without transcripts, a clip without its words, or words without their clip.
    """
    for chapter in sorted({path.parent for path in folder.glob("*/*/*.flac")} | set(chapters(folder))):
        listed = chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        said, files = transcripts(listed), {path.stem: path for path in chapter.glob("*.flac")}
        for name in sorted(said.keys() ^ files.keys()):
            where = f"{listed} has no line for {name}" if name in files else f"{chapter} has no {name}.flac"
            raise UserError(f"{WHAT}: {where}", "Unpack the corpus again.")
        yield from (Clip(str(files[name]), files[name], said[name]) for name in sorted(said))


def chapters(folder: Path) -> Iterator[Path]:
    """The folders that have transcripts."""
    return (path.parent for path in folder.glob("*/*/*.trans.txt"))


def transcripts(path: Path) -> dict[str, str]:
    """Words by clip, from lines ``NAME WORDS``. Raises UserError for another line, and a file that cannot be read."""
    said = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        name, _, words = line.strip().partition(" ")
        if not words.strip():
            raise UserError(f"{path}:{number} is {line!r}, and not NAME WORDS", "Unpack the corpus again.")
        said[name] = words.strip()
    return said


def of_list(folder: Path, manifest: str) -> Iterator[tuple[Clip, float]]:
    """The clips of MLPerf's list, with their durations in seconds, in the list's order.

    Each entry has ``transcript``, ``original_duration`` and ``files``, of which that of speed 1 is taken.

    Raises:
        UserError: the list cannot be read or is not such a list, or a clip is not there.
    """
    path = folder / manifest
    try:
        entries = json.loads(_text(path))
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}", "Make the list again with MLPerf's scripts.") from error
    if not isinstance(entries, list):
        raise UserError(f"{path} is no list of clips", "Make the list again with MLPerf's scripts.")
    for number, entry in enumerate(entries):
        try:
            named = next(file["fname"] for file in entry["files"] if file["speed"] == 1)
            text, seconds = str(entry["transcript"]), float(entry["original_duration"])
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            raise UserError(
                f"{path}: entry {number} has not files, transcript and original_duration as MLPerf's lists have",
                "Make the list again with MLPerf's scripts.",
            ) from error
        yield Clip(named, find(folder, named, path), text), seconds


def find(folder: Path, named: str, path: Path) -> Path:
    """Where a clip of a list lies: at its name from the root, or at the end of it.

    MLPerf's script for Whisper writes names of the machine that it ran on, as /data/dev-all-repack/1.wav.
    """
    parts = Path(named).parts
    for start in range(len(parts)):
        if (found := folder.joinpath(*parts[start:])).is_file():
            return found
    raise UserError(f"{WHAT}: {path} lists {named}, which is not in {folder}", "Make the files with MLPerf's scripts.")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{WHAT}: {path} cannot be read: {error}", "Unpack the corpus again.") from error
