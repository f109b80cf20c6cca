"""A Whisper model of a few random weights, in CTranslate2's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec

WIDTH = 8
SIGNS = (
    "<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
    "<|nocaptions|>", "<|notimestamps|>", "<|0.00|>", "<|0.02|>",
)  # fmt: skip
WORDS = tuple(f"w{number}" for number in range(20))
NAMES = ("model.bin", "config.json", "vocabulary.json")


def save_small(folder: Path, bins: int = 80) -> list[Path]:
    """Write the files of :data:`NAMES` into the folder: one layer on each side, a vocabulary of 30."""
    random = np.random.default_rng(4)
    tokens = [*WORDS, *SIGNS]

    def weights(*shape: int) -> Any:
        return random.normal(0, 0.5, shape).astype(np.float32)

    def norm(spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(spec: Any, rows: int, columns: int = WIDTH) -> None:
        spec.weight, spec.bias = weights(rows, columns), weights(rows)

    def attention(spec: Any, *rows: int) -> None:
        norm(spec.layer_norm)
        for part, count in zip(spec.linear, rows, strict=True):
            linear(part, count)

    def feed_forward(spec: Any) -> None:
        norm(spec.layer_norm)
        linear(spec.linear_0, 4 * WIDTH)
        linear(spec.linear_1, WIDTH, 4 * WIDTH)

    spec: Any = WhisperSpec(1, 1, 1, 1)
    for conv, channels in ((spec.encoder.conv1, bins), (spec.encoder.conv2, WIDTH)):
        conv.weight, conv.bias = weights(WIDTH, channels, 3), weights(WIDTH)
    for side, positions in ((spec.encoder, 1500), (spec.decoder, 448)):
        side.position_encodings.encodings = weights(positions, WIDTH)
        norm(side.layer_norm)
        attention(side.layer[0].self_attention, 3 * WIDTH, WIDTH)
        feed_forward(side.layer[0].ffn)
    attention(spec.decoder.layer[0].attention, WIDTH, 2 * WIDTH, WIDTH)
    spec.decoder.embeddings.weight = weights(len(tokens), WIDTH)
    linear(spec.decoder.projection, len(tokens))
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids, spec.config.alignment_heads = [], [(0, 0)]
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.save(str(folder))
    return [folder / name for name in NAMES]
