"""The data-set kind ``cnn-dailymail``: articles to summarise, in the JSON that MLPerf's download_cnndm.py writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlharness.data_root import ROOT, data_root
from mlharness.errors import UserError
from mlharness.providers import Arrays, Option
from mlharness_language.text import to_bytes

WHERE = "made by download_cnndm.py of language/gpt-j or language/llama3.1-8b in github.com/mlcommons/inference"
GIVES = ("gptj-prompt", "instruction", "article", "tokens")
OPTIONS = (
    ROOT,
    Option("file", "string", "The articles, from root.", default="cnn_eval.json"),
    Option(
        "gives",
        "string",
        "What a sample is: gptj-prompt (GPT-J's), instruction (the file's own with the article in it), article, or "
        "tokens (the file's tok_input).",
        default="gptj-prompt",
        choices=GIVES,
    ),
)
GPTJ_PROMPT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
"""What MLPerf's GPT-J is asked, to the letter: another prompt has another score (language/gpt-j/dataset.py)."""


@dataclass(frozen=True)
class Articles:
    """An opened data set; see :class:`mlharness.providers.DataSet`."""

    entries: Sequence[Mapping[str, Any]]
    gives: str

    def __len__(self) -> int:
        return len(self.entries)

    def check(self) -> None:
        """Everything was read when the data set was opened."""

    def sample(self, index: int) -> Arrays:
        """A text, uint8 [bytes]; or token ids, int64 [tokens]."""
        entry = self.entries[index]
        if self.gives == "tokens":
            return (np.array(entry["tok_input"], np.int64),)
        return (to_bytes(prompt_of(entry, self.gives)),)

    def label(self, index: int) -> str:
        """The summary that people wrote."""
        return str(self.entries[index]["output"])


def prompt_of(entry: Mapping[str, Any], gives: str) -> str:
    """What a model is asked about one article."""
    if gives == "article":
        return str(entry["input"])
    if gives == "instruction":
        return str(entry["instruction"]).replace("{input}", entry["input"])
    return GPTJ_PROMPT.format(instruction=entry["instruction"], input=entry["input"])


def open_articles(options: Mapping[str, Any], count: int | None, locate: Callable[[str], Path]) -> Articles:
    """Read the first ``count`` articles (None: all).

    Raises:
        UserError: there is no such file, or an entry lacks what a sample is made of.
    """
    path = data_root(options["root"], "CNN/DailyMail", [options["file"]], WHERE) / options["file"]
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", f"Make it again: it is {WHERE}.") from error
    if not isinstance(entries, list):
        raise UserError(f"{path.name} is no list of articles", f"Make it again: it is {WHERE}.")
    for number, entry in enumerate(entries[:count]):
        check_entry(path.name, number, entry, options["gives"])
    return Articles(entries[:count], options["gives"])


def check_entry(name: str, number: int, entry: Any, gives: str) -> None:
    """Raise UserError naming the entry, counted from 0, that lacks something."""
    needed = {"article": ("input",), "tokens": ("tok_input",)}.get(gives, ("instruction", "input"))
    for key in (*needed, "output"):
        kind = list if key == "tok_input" else str
        if not isinstance(entry, Mapping) or not isinstance(entry.get(key), kind):
            raise UserError(
                f"{name}: entry {number} has no {key!r}, which gives: {gives} needs",
                f"Make the file again: it is {WHERE}.",
            )
