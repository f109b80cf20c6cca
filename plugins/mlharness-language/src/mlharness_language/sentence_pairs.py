"""The data-set kind ``sentence-pairs``: sentences two by two, and how much each two mean the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.errors import UserError
from mlharness.providers import Arrays, Option
from mlharness_language.text import to_bytes

OPTIONS = (
    Option(
        "file",
        "string",
        "URI or path of a UTF-8 file with a pair a line: grade, first and second sentence, parted by tabs.",
        required=True,
    ),
)


@dataclass(frozen=True)
class Paired:
    """The label of one sentence: its pair's number, and the pair's grade; a higher one means more alike."""

    pair: int
    grade: float


@dataclass(frozen=True)
class SentencePairs:
    """An opened data set; see :class:`mlharness.providers.DataSet`. Samples 2k and 2k + 1 are pair k."""

    sentences: Sequence[str]
    grades: Sequence[float]

    def __len__(self) -> int:
        return len(self.sentences)

    def check(self) -> None:
        """Everything was read when the data set was opened."""

    def sample(self, index: int) -> Arrays:
        """One sentence, uint8 [bytes]."""
        return (to_bytes(self.sentences[index]),)

    def label(self, index: int) -> Paired:
        """The pair that the sentence belongs to."""
        return Paired(index // 2, self.grades[index // 2])


def open_pairs(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> SentencePairs:
    """Read the pairs of the first ``count`` sentences (None: all).

    Raises:
        UserError: the file cannot be read, or a line is no grade and two sentences.
    """
    path = locate(options["file"])
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Give a UTF-8 file of sentence pairs.") from error
    pairs = [read_pair(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    sentences = [sentence for _, *both in pairs for sentence in both]
    return SentencePairs(sentences[:count], [grade for grade, *_ in pairs])


def read_pair(path: Path, number: int, line: str) -> tuple[float, str, str]:
    """Grade and sentences of one line. Raises UserError naming it, counted from 1."""
    fields = [field.strip() for field in line.split("\t")]
    try:
        grade, first, second = float(fields[0]), *fields[1:]
    except ValueError:
        grade, first, second = math.nan, "", ""
    if not (math.isfinite(grade) and first and second):
        raise UserError(f"{path}:{number}: no grade and two sentences, parted by tabs", "Correct the line.")
    return grade, first, second
