"""Small corpora in the layouts of LibriSpeech and of MLPerf's scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

SAID = {"84-121123-0000": "GO DO YOU HEAR", "84-121123-0001": "BUT IN LESS THAN FIVE MINUTES", "84-121550-0000": "NO"}
"""Clips by their names, speaker, chapter and number, and what is said."""


def tone(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A sound at 16 kHz."""
    return 0.1 * np.sin(np.arange(round(16000 * seconds)) / 8)


def write_split(folder: Path) -> None:
    """``SPEAKER/CHAPTER/*.flac`` with transcripts: three clips in two chapters, of 0.2, 0.4 and 0.6 s."""
    for number, (name, words) in enumerate(SAID.items(), start=1):
        speaker, chapter, _ = name.split("-")
        place = folder / speaker / chapter
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{name}.flac", tone(number / 5), 16000)
        with (place / f"{speaker}-{chapter}.trans.txt").open("a", encoding="utf-8") as file:
            file.write(f"{name} {words}\n")


def write_list(folder: Path, prefix: str = "", name: str = "dev-clean-wav.json") -> None:
    """MLPerf's list of three WAV files, the second said to be 15.5 s long; ``prefix`` stands before names."""
    entries = []
    for number, (clip, words) in enumerate(SAID.items()):
        file = f"dev-clean-wav/{clip.replace('-', '/', 2).rpartition('/')[0]}/{clip}.wav"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / file, tone(0.2), 16000)
        seconds = 15.5 if number == 1 else 0.2
        files = [{"fname": prefix + file, "speed": 1, "duration": seconds, "channels": 1, "sample_rate": 16000.0}]
        entries.append({"files": files, "original_duration": seconds, "transcript": words.lower()})
    (folder / name).write_text(json.dumps(entries), "utf-8")
