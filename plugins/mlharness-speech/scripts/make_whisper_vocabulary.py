"""Makes src/mlharness_speech/files/whisper-*.txt.xz from the source distribution of ``openai-whisper``.

pip download --no-deps --no-binary :all: openai-whisper==20250625
python scripts/make_whisper_vocabulary.py openai_whisper-20250625.tar.gz
"""

from __future__ import annotations

import lzma
import sys
import tarfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "mlharness_speech" / "files"
ORIGINS = {"multilingual": "multilingual.tiktoken", "english": "gpt2.tiktoken"}


def tokens(archive: Path, origin: str) -> list[str]:
    """The tokens of a vocabulary in base64, checked to stand in the order of their numbers."""
    with tarfile.open(archive) as files:
        name = next(name for name in files.getnames() if name.endswith(f"/whisper/assets/{origin}"))
        held = files.extractfile(name)
        assert held is not None, f"{name} is no file"
        pairs = [line.split() for line in held.read().decode("ascii").splitlines() if line]
    assert [int(number) for _, number in pairs] == list(range(len(pairs)))
    return [token for token, _ in pairs]


def main(archive: Path) -> None:
    """Both vocabularies."""
    for vocabulary, origin in ORIGINS.items():
        found = tokens(archive, origin)
        packed = lzma.compress("".join(f"{token}\n" for token in found).encode("ascii"), preset=9 | lzma.PRESET_EXTREME)
        (FOLDER / f"whisper-{vocabulary}.txt.xz").write_bytes(packed)
        print(f"{vocabulary}: {len(found)} tokens, {len(packed)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
