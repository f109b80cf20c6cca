"""Makes tests/data/reference.npz: what librosa, transformers and MLPerf's reference code give for a clip.

    pip install -e ".[reference]"
    git clone https://github.com/mlcommons/inference
    python scripts/make_reference.py inference/retired_benchmarks/speech_recognition/rnnt

The tests compare with these numbers, so that they need none of the three. Features are kept for the frames that have
sound and a few more, to keep the file small.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
import torch
from transformers import WhisperFeatureExtractor

FOLDER = Path(__file__).parents[1]
CLIP = FOLDER / "src" / "mlharness_speech" / "clips" / "awb-1.flac"
RATE = 16000
SHORTEST = np.array([0.5], np.float32)
"""A clip of one sample, which Whisper's features take."""
SHORTEST_RNNT = np.sin(np.arange(481, dtype=np.float32) / 5)
"""A clip of 481 samples, the fewest from which RNN-T's features can be normalised."""


def whisper(samples: Any, bins: int) -> Any:
    """transformers' features, float32 [bins, 3000]."""
    return WhisperFeatureExtractor(feature_size=bins)(samples, sampling_rate=RATE, return_tensors="np").input_features[
        0
    ]


def rnnt(samples: Any) -> Any:
    """MLPerf's features, float32 [240, frames], of the configuration in ``configs/rnnt.toml``."""
    from parts.features import FilterbankFeatures

    computed = FilterbankFeatures(
        sample_rate=RATE, window_size=0.02, window_stride=0.01, window="hann", normalize="per_feature", n_fft=512,
        nfilt=80, dither=0.00001, pad_to=0, frame_splicing=3,
    )  # fmt: skip
    batch = torch.from_numpy(samples)[None]
    return computed((batch, torch.tensor([len(samples)])))[0].numpy()


def main(official: Path) -> None:
    """All of it."""
    sys.path.insert(0, str(official / "pytorch"))
    samples, _ = soundfile.read(CLIP, dtype="float32")
    found = {
        "filters_400_80": librosa.filters.mel(sr=RATE, n_fft=400, n_mels=80),
        "filters_400_128": librosa.filters.mel(sr=RATE, n_fft=400, n_mels=128),
        "filters_512_80": librosa.filters.mel(sr=RATE, n_fft=512, n_mels=80),
        "whisper_80": whisper(samples, 80)[:, :240],
        "whisper_80_sparse": whisper(samples, 80)[:, ::100],
        "whisper_128_sparse": whisper(samples, 128)[:, :240:10],
        "whisper_80_shortest": whisper(SHORTEST, 80)[:, :4],
        "rnnt": rnnt(samples),
        "rnnt_shortest": rnnt(SHORTEST_RNNT),
        "down_8000": librosa.resample(samples, orig_sr=RATE, target_sr=8000),
        "up_22050": librosa.resample(samples, orig_sr=RATE, target_sr=22050),
        "up_shortest": librosa.resample(SHORTEST, orig_sr=8000, target_sr=RATE),
    }
    target = FOLDER / "tests" / "data" / "reference.npz"
    target.parent.mkdir(exist_ok=True)
    arrays: dict[str, Any] = {name: np.asarray(array, np.float32) for name, array in found.items()}
    np.savez_compressed(target, **arrays)
    print(f"{target.stat().st_size} bytes; librosa {librosa.__version__}, torch {torch.__version__}")
    for name, array in found.items():
        print(f"{name}: {array.shape}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
