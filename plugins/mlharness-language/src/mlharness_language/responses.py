"""Responses that are text, as bytes or as token ids, and the references that they are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlharness.errors import RunError, UserError
from mlharness.providers import Array, Option, ResponseSpec

RESPONSE = Option(
    "response",
    "string",
    "What a response holds: text (UTF-8), or token ids of a dtype, as MLPerf's language models log them.",
    default="text",
    choices=("text", "int32", "int64"),
)
TOKENIZER = Option("tokenizer", "file", "The tokenizer.json that turns token ids into text.")


def text_response(options: Mapping[str, Any]) -> ResponseSpec:
    """Bytes or ids of any number. Raises UserError for ids without a tokenizer."""
    if options["response"] == "text":
        return ResponseSpec("uint8", (None,))
    if options["tokenizer"] is None:
        raise UserError(f"response is {options['response']}, and nothing says what the ids mean", "Give tokenizer.")
    return ResponseSpec(options["response"], (None,))


def read_texts(
    metric: str, responses: Mapping[int, Array], label: Callable[[int], Any], options: Mapping[str, Any]
) -> list[tuple[str, list[str]]]:
    """Text and references of every sample that has a reference, by index.

    Raises:
        RunError: no sample has one, or a response is no text.
    """
    decode = read_utf8 if options["response"] == "text" else make_decoder(options["tokenizer"])
    found = []
    for index in sorted(responses):
        truth = label(index)
        if truth is None:
            continue
        try:
            found.append((decode(responses[index]), references_of(truth)))
        except UnicodeDecodeError as error:
            raise RunError(f"{metric}: the response of sample {index} is no UTF-8: byte {error.start}") from error
    if not found:
        raise RunError(f"{metric}: no sample of the data set has a reference")
    return found


def read_utf8(response: Array) -> str:
    """The text of uint8 [bytes]."""
    return response.tobytes().decode("utf-8")


def make_decoder(path: Path) -> Callable[[Array], str]:
    """From ids to text, without special tokens. Raises UserError when the file is no tokenizer."""
    from mlharness_language.steps import load_tokenizer

    tokenizer = load_tokenizer(path)
    return lambda ids: str(tokenizer.decode(ids.tolist(), skip_special_tokens=True))


def references_of(truth: str | Sequence[str]) -> list[str]:
    """One or several references as a list."""
    return [truth] if isinstance(truth, str) else [str(one) for one in truth]
