"""Where a summary goes, and in which form: ``junit:report.xml``, ``report.xml``, ``markdown:-``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mlharness.errors import UserError, did_you_mean
from mlharness.summarising.document import to_json
from mlharness.summarising.junit import to_junit
from mlharness.summarising.markdown import to_markdown
from mlharness.summarising.summary import Case, Summary

MARKDOWN = "markdown"
WRITERS: Mapping[str, Callable[[Summary], str]] = {MARKDOWN: to_markdown, "junit": to_junit, "json": to_json}
ENDINGS = {".md": MARKDOWN, ".markdown": MARKDOWN, ".xml": "junit", ".json": "json"}
STDOUT = "-"
_WRITE = "Write --summary markdown:FILE, junit:FILE or json:FILE; FILE alone if it ends in .md, .xml or .json."


@dataclass(frozen=True)
class Target:
    """A form and a file; without a path it is standard output.

    A page in Markdown is appended to what the file holds, as that of a GitHub job must be; the other forms, of which a
    file holds one document, take its place.
    """

    form: str
    path: Path | None

    def begin(self, summary: Summary) -> None:
        """Make sure that the file can be written, and leave no former report in it that a kill would let stand.

        Raises:
            UserError: it cannot be written.
        """
        if self.path is None:
            return
        try:
            if _is_stream(self.path):
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.form == MARKDOWN:
                self.path.open("a").close()
            else:
                _replace(self.path, WRITERS[self.form](summary))
        except OSError as error:
            raise self._refused(error, "Name a file that can be written.") from error

    def write(self, summary: Summary, stdout: TextIO) -> None:
        """Write the summary. Raises UserError when that cannot be."""
        text = WRITERS[self.form](summary)
        if self.path is None:
            stdout.write(text)
            return
        try:
            if _is_stream(self.path):
                self.path.write_text(text, "utf-8")
            elif self.form == MARKDOWN:
                _append(self.path, text)
            else:
                _replace(self.path, text)
        except OSError as error:
            remedy = "The runs are complete: mlh runs show RUN --summary, mlh compare and mlh sweep --resume write it."
            raise self._refused(error, remedy) from error

    def _refused(self, error: OSError, remedy: str) -> UserError:
        return UserError(f"cannot write the summary {self.path}: {error.strerror}", remedy)


def parse_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """All of them. Raises UserError for one that is none, and when two go to the same place."""
    found = tuple(map(parse_target, texts))
    places = [target.path and os.path.realpath(target.path) for target in found]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise UserError(f"--summary {texts[number]}: another summary goes there, too", "Give each a file.")
    return found


def parse_target(text: str) -> Target:
    """A target as the command line writes it. Raises UserError for anything else."""
    form, colon, name = text.partition(":")
    if not colon or (form not in WRITERS and not form.isalpha()):
        form, name = ENDINGS.get(Path(text).suffix.lower(), ""), text
        if not form:
            raise UserError(f"--summary {text!r} says no format", _WRITE)
    if form not in WRITERS:
        raise UserError(f"--summary {text!r}: {form!r} is no format", did_you_mean(form, WRITERS))
    if not name:
        raise UserError(f"--summary {text!r} names no file", "If that is a variable, is it set?")
    return Target(form, None if name == STDOUT else Path(name))


def unfinished(command: str, started: str, host: str, version: str) -> Summary:
    """What stands in a file until its command has ended: after a kill it is what happened."""
    case = Case(command, "command", "error", "the command has not ended, or was killed")
    return Summary(command, started, host, version, (case,))


def _is_stream(path: Path) -> bool:
    """A pipe or a device, into which one can only write."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _append(path: Path, text: str) -> None:
    """At the end, on a page that is longer behind an empty line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}" if file.tell() else text)


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, and through a link where it leads."""
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, "utf-8")
        partial.replace(target)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
