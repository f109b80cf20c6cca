"""Makes src/mlharness_speech/clips/*.flac from the texts of the data set ``speech-clips``.

Needs Flite (Debian's package ``flite``, 2.2) and the plugin itself. Run ``python scripts/make_speech_clips.py
[FOLDER]``: a second. Flite uses no random numbers, so that one version of it gives the same samples each time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import soundfile
import yaml

PACKAGE = Path(__file__).parents[1] / "src" / "mlharness_speech"
RATE = 16000
FLITE = shutil.which("flite") or "/usr/bin/flite"


def speak(voice: str, text: str, target: Path) -> float:
    """One clip, mono, 16 bits; its duration in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "clip.wav"
        subprocess.run([FLITE, "-voice", voice, "-t", text, "-o", str(wave)], check=True)
        samples, rate = soundfile.read(wave, dtype="int16")
    if rate != RATE or samples.ndim != 1:
        raise SystemExit(
            f"the voice {voice} has {rate} Hz and {samples.ndim} axes; its files must have {RATE} Hz, mono"
        )
    soundfile.write(target, samples, RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return len(samples) / RATE


def main(folder: Path) -> None:
    """Every clip of the data set."""
    document = yaml.safe_load((PACKAGE / "manifests" / "datasets" / "speech-clips.yaml").read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for item in document["options"]["items"]:
        name = item["file"].rpartition("/")[2]
        seconds = speak(name.partition("-")[0], item["text"], folder / name)
        print(f"{name}: {seconds:.2f} s, {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE / "clips")
