"""One Whisper model in CTranslate2 as a predictor."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

import ctranslate2
import numpy as np

from mlharness.errors import UserError
from mlharness.providers import Array, Model, TensorSpec
from mlharness_ctranslate2.folder import folder_of

FRAMES = 3000
"""What Whisper looks at: 30 seconds, a frame each 10 ms."""
PADDING = -1
_LONGEST = 448
"""Whisper's own limit of tokens, the prompt included."""
_DEVICE = re.compile(r"(cpu|cuda)(?::(\d+))?\Z")
_best, _sequences = itemgetter(0), attrgetter("sequences_ids")


class WhisperPredictor:
    """From features, float32 [batch, 80 or 128, 3000], to the tokens of what is said, int32 [batch, max_length].

    A row holds the tokens after the prompt, without the end of text, and is filled up with -1. Calls release the
    interpreter's lock while CTranslate2 works.

    Raises:
        UserError: there is no such device, the files are no Whisper model, or an option does not suit it.
    """

    def __init__(self, model: Model, device: str, options: Mapping[str, Any]) -> None:
        check_options(options)
        with folder_of(model) as folder:
            self._whisper = open_whisper(model.name, str(folder), device, options)
        self._length = options["max_length"]
        self._beam_size = options["beam_size"]
        self._prompt = prompt_of(self._whisper, options)
        self._shape = (self._whisper.n_mels, FRAMES)
        self.inputs: Sequence[TensorSpec] = (TensorSpec("features", "float32", (None, *self._shape)),)
        self.outputs: Sequence[TensorSpec] = (TensorSpec("tokens", "int32", (None, self._length)),)

    def predict(self, batch: dict[str, Array]) -> list[Array]:
        """One output, the tokens. Raises ValueError for features of another dtype or shape."""
        features = batch["features"]
        if features.dtype != np.float32 or features.shape[1:] != self._shape:
            raise ValueError(
                f"features are {features.dtype} {list(features.shape)}, and not float32 [n, *{self._shape}]"
            )
        results = self._whisper.generate(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(features)),
            [self._prompt] * len(features),
            beam_size=self._beam_size,
            max_length=self._length,
        )
        # in NumPy's and the interpreter's own loops: this is timed
        rows = list(map(_best, map(_sequences, results)))
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        tokens = np.full((len(rows), self._length), PADDING, np.int32)
        tokens[np.arange(self._length) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), np.int32)
        return [tokens]

    def close(self) -> Sequence[Any]:
        """Free the weights."""
        self._whisper.unload_model()
        del self._whisper
        return ()


def open_whisper(name: str, folder: str, device: str, options: Mapping[str, Any]) -> ctranslate2.models.Whisper:
    """The model on its device. Raises UserError for what CTranslate2 does not take."""
    kind, number = split_device(device)
    # it warns of each model that computes in another type than it was saved in, which the option may well ask for
    ctranslate2.set_log_level(logging.ERROR)
    try:
        return ctranslate2.models.Whisper(
            folder,
            device=kind,
            device_index=number,
            compute_type=options["compute_type"],
            intra_threads=options["intra_threads"] or 0,
        )
    except (RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())
        raise UserError(
            f"CTranslate2 cannot load {name}: {said}",
            "Check that the files are a Whisper model that was converted for CTranslate2, and the option compute_type.",
        ) from error


def split_device(device: str) -> tuple[str, int]:
    """Kind and number. Raises UserError for a device that is not here."""
    match = _DEVICE.match(device)
    number = int(match[2] or 0) if match else 0
    if match is None or (match[1] == "cuda" and number >= ctranslate2.get_cuda_device_count()):
        here = ["cpu", *(f"cuda:{place}" for place in range(ctranslate2.get_cuda_device_count()))]
        raise UserError(f"CTranslate2 has no device {device!r} here", f"Devices here: {', '.join(here)}.")
    return match[1], number


def check_options(options: Mapping[str, Any]) -> None:
    """Raise UserError for numbers that cannot be."""
    if options["beam_size"] < 1:
        raise UserError(f"beam_size is {options['beam_size']}", "Give 1 for the greedy search, or more.")
    if not 1 <= options["max_length"] <= _LONGEST:
        raise UserError(f"max_length is {options['max_length']}", f"Whisper writes 1 to {_LONGEST} tokens.")


def prompt_of(whisper: ctranslate2.models.Whisper, options: Mapping[str, Any]) -> list[str]:
    """The tokens that a text begins with: without times, and for a multilingual model with its language and task."""
    if options["prompt"] is not None:
        return [str(token) for token in options["prompt"]]
    chosen = [f"<|{options['language']}|>", f"<|{options['task']}|>"] if whisper.is_multilingual else []
    return ["<|startoftranscript|>", *chosen, "<|notimestamps|>"]
