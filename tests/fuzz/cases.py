"""The kinds of cases: each makes its input of a ``random.Random``, runs mlharness in this process, and judges."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import random
import re
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from mlharness.cli.main import main
from mlharness.errors import ManifestError
from mlharness.manifest.documents import DataSetManifest
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.manifest.reading import check_manifest, read_manifest
from tests.fuzz import mutate, seeds
from tests.fuzz.canary import Canary, ExecutedError

INPUT = 2
"""The exit code of what is wrong with the input."""
CASE_S = 20
"""A case that takes longer hangs, or is a way to make mlharness hang."""


RUNNING = "running"
"""The file with the input of the case that runs."""


class TooLongError(BaseException):
    """A case hangs; no handler of errors may swallow it."""


@dataclass(frozen=True)
class Ran:
    """What a command left; bytes that are no UTF-8 would have raised, as they do on a real standard output."""

    code: int
    out: str
    err: str


@dataclass
class Fuzzer:
    """Runs cases in a folder of its own."""

    folder: Path
    canary: Canary = field(init=False)
    manifests: list[bytes] = field(init=False)
    kind: str = ""
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often ``mlh`` ended with which exit code, by the kind of case."""

    def __post_init__(self) -> None:
        self.canary = Canary(self.folder)
        self.manifests = [
            *seeds.manifests(),
            *[seeds.with_python(self.canary.source), *seeds.published(self.canary.source)] * 3,
        ]
        self.trees = [yaml.safe_load(data) for data in self.manifests]
        python = {"python": f"{self.canary.source}\ndef preprocess(ctx, data): return data\n"}
        apply = f'!!python/object/apply:builtins.exec ["{self.canary.source}"]'
        self.odd = (*mutate.ODD_VALUES, python, [python], self.canary.source, apply)

    def manifest_bytes(self, chance: random.Random) -> bytes:
        """A mutated file."""
        return mutate.mutate_bytes(chance, chance.choice(self.manifests), self.manifests)

    def manifest_tree(self, chance: random.Random) -> bytes:
        """A mutated manifest, written as good YAML."""
        return as_yaml(mutate.mutate_tree(chance, chance.choice(self.trees), self.odd))

    def configuration(self, chance: random.Random) -> bytes:
        """An mlharness.toml with values that the options take; in most cases mutated, its values or its bytes."""
        tree = seeds.configuration(chance)
        kind = chance.random()
        if kind < 0.4:
            return as_toml(tree)
        if kind < 0.8:
            return as_toml(mutate.mutate_tree(chance, tree, self.odd))
        return mutate.mutate_bytes(chance, as_toml(tree), [as_toml(tree)])

    def user_conf(self, chance: random.Random) -> bytes:
        """A mutated user.conf."""
        return mutate.mutate_bytes(chance, seeds.USER_CONF, [seeds.USER_CONF])

    def command_line(self, chance: random.Random) -> list[str]:
        """A mutated command line; ``bench`` keeps its ``--dry-run``."""
        words = list(chance.choice(seeds.COMMANDS))
        kept = words[:2] if words[0] == "bench" else words[:1]
        line = mutate.mutate_words(chance, words[len(kept) :], seeds.VOCABULARY)
        return [*kept, *line] if chance.random() < 0.9 or kept[0] == "bench" else line

    def check_manifest(self, data: bytes) -> None:
        """Every problem has file, line and key; what has none can be read and planned, and none is executed."""
        path = self.write("manifest.yaml", data)
        with self.guarded():
            try:
                problems = check_manifest(path)
            except ManifestError as error:
                expect(error.message.startswith(str(path)) or str(path) in error.message, f"no file: {error.message!r}")
                expect(located(error.message, path, data) or "1 MiB" in error.message, f"no line: {error.message!r}")
                expect(bool(error.remedy), f"no remedy: {error.message!r}")
                return
            for problem in problems:
                expect(located(str(problem), path, data), f"no line: {problem}")
                expect(bool(problem.key), f"no key: {problem}")
        if not problems:
            self.check_planned(path, data)

    def check_planned(self, path: Path, data: bytes) -> None:
        """A model or a data set that follows its schema can be planned, or the error has file, line and key."""
        members = read_upgraded(path).data.get("members")
        dataset = isinstance(read_manifest(path, member=members[0] if members else None), DataSetManifest)
        name = f"{path}#{members[0]}" if members else str(path)
        named = ["null", "--dataset", name] if dataset else [name]
        ran = self.mlh(["bench", "--dry-run", *named, "-q"])
        if ran.code == INPUT and "what the manifest requires is not: " in ran.err:  # a package, which is no mistake
            return
        if ran.code == INPUT and str(path) not in ran.err:  # about a file that the manifest names, as its data set
            expect(re.match(r"Error: /\S+:\d+: .", ran.err) is not None, f"no other file's line: {ran.err!r}")
            return
        expect(ran.code == 0 or located(ran.err, path, data), f"no line: {ran.err!r}")
        expect(ran.code == 0 or MANIFEST_KEY.search(ran.err) is not None, f"no key: {ran.err!r}")

    def check_printed(self, data: bytes) -> None:
        """The same through the command line, where problems are printed."""
        path = self.write("manifest.yaml", data)
        ran = self.mlh(["validate", str(path)])
        for line in ran.out.splitlines():
            expect(line.startswith(str(path)), f"no file: {line!r}")
        self.mlh(["validate", str(path), "--json"])
        self.mlh(["models", "show", str(path)])
        self.check_upgraded(path)

    def check_upgraded(self, path: Path) -> None:
        """What is upgraded has no problem of its own."""
        upgraded = self.mlh(["manifest", "upgrade", str(path), "-q"])
        if upgraded.code == 0:
            expect(check_manifest(self.write("upgraded.yaml", upgraded.out.encode())) == [], "the upgrade is not valid")

    def check_configuration(self, data: bytes) -> None:
        """An error names the file, the line, and the table with its key; of what is no TOML, file and line."""
        path = self.write("mlharness.toml", data)
        try:
            ran = self.mlh(["bench", "null", "--dry-run", "-q"])
        finally:
            path.unlink()
        expect(ran.code == 0 or located(ran.err, path, data), f"no line: {ran.err!r}")
        expect(ran.code == 0 or CONFIGURED_KEY.search(ran.err) is not None, f"no key: {ran.err!r}")

    def check_user_conf(self, data: bytes) -> None:
        """An error names the file, the line and the key; of what is no setting, the whole line."""
        path = self.write("user.conf", data)
        ran = self.mlh(["bench", "--dry-run", "null", "-q", "--user-conf", str(path)])
        expect(ran.code == 0 or located(ran.err, path, data), f"no line: {ran.err!r}")
        expect(ran.code == 0 or SETTING_KEY.search(ran.err) is not None, f"no key: {ran.err!r}")

    def check_command(self, words: Sequence[str]) -> None:
        """It ends well, or with an error that names the option, the argument or the word which it is about."""
        ran = self.mlh(words)
        told = "\n".join(line for line in (ran.out + ran.err).splitlines() if not line.startswith(("Usage:", "Try ")))
        expect(ran.code == 0 or names_a_word(told, words), f"no option: {ran.err!r}")

    def mlh(self, words: Sequence[str]) -> Ran:
        """``mlh`` in this process; raises AssertionError for a traceback or a wrong form."""
        # As a terminal's: half a character cannot be written to standard output.
        kept = io.BytesIO(), io.BytesIO()
        out, err = io.TextIOWrapper(kept[0], "utf-8"), io.TextIOWrapper(kept[1], "utf-8", "backslashreplace")
        with self.guarded(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(words))
            out.flush()
            err.flush()
        ran = Ran(code, *(stream.getvalue().decode("utf-8") for stream in kept))
        self.codes[self.kind, ran.code] += 1
        expect("Traceback" not in ran.err, ran.err)
        expect(ran.code in (0, INPUT), f"exit code {ran.code}\n{ran.err}")
        told = re.search(r"^Error: \S", ran.err, re.MULTILINE) or ran.err.startswith("Usage: ")  # a group by itself
        expect(ran.code == 0 or bool(told), f"no error: {ran.err!r}")
        if ran.code and "--json" in words and "--" not in words:
            expect(bool(json.loads(ran.out)["error"]["message"]), "no message in the document")
        return ran

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """In the folder, with the canary armed."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with self.canary.armed():
                yield
        except ExecutedError:
            pass  # told below
        finally:
            os.chdir(before)
        expect(not self.canary.executed, f"executed: {self.canary.executed}")

    def write(self, name: str, data: bytes) -> Path:
        """A file of the case."""
        path = self.folder / name
        path.write_bytes(data)
        return path


@dataclass(frozen=True)
class Kind:
    """A kind of case: how often it comes, how its input is made, and how it is judged."""

    share: int
    make: Callable[[Fuzzer, random.Random], Any]
    check: Callable[[Fuzzer, Any], object]


KINDS: dict[str, Kind] = {
    "manifest-bytes": Kind(35, Fuzzer.manifest_bytes, Fuzzer.check_manifest),
    "manifest-tree": Kind(30, Fuzzer.manifest_tree, Fuzzer.check_manifest),
    "manifest-printed": Kind(5, Fuzzer.manifest_tree, Fuzzer.check_printed),
    "configuration": Kind(12, Fuzzer.configuration, Fuzzer.check_configuration),
    "user-conf": Kind(6, Fuzzer.user_conf, Fuzzer.check_user_conf),
    "command-line": Kind(12, Fuzzer.command_line, Fuzzer.check_command),
}


@dataclass(frozen=True)
class Failure:
    """A case that went wrong."""

    kind: str
    value: Any
    why: str


def run_case(fuzzer: Fuzzer, kind: str, value: Any) -> Failure | None:
    """Judge one input; a hang is a failure, and in native code the end, with the input in the fuzzer's folder."""
    fuzzer.kind = kind
    (fuzzer.folder / RUNNING).write_bytes(value if isinstance(value, bytes) else repr(value).encode())
    try:
        with limited():
            KINDS[kind].check(fuzzer, value)
    except AssertionError as wrong:
        return Failure(kind, value, str(wrong))
    except TooLongError:
        return Failure(kind, value, f"takes longer than {CASE_S} s\n{traceback.format_exc()}")
    except Exception:  # noqa: BLE001  # whatever escapes is what is looked for
        return Failure(kind, value, traceback.format_exc())
    return None


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Raise TooLongError when it lasts longer than :data:`CASE_S`; where no Python runs any more, end the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    faulthandler.dump_traceback_later(3 * CASE_S, exit=True)
    signal.setitimer(signal.ITIMER_REAL, CASE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def expect(true: bool, otherwise: str) -> None:
    """Raise AssertionError, also where asserts are switched off."""
    if not true:
        raise AssertionError(otherwise)


def located(message: str, path: Path, data: bytes) -> bool:
    """True when the message has the file, and a line that the file has."""
    found = re.search(rf"{re.escape(str(path))}:(\d+): .", message)
    lines = len(re.split(rb"\r\n|\n|\r|\xc2\x85|\xe2\x80[\xa8\xa9]", data))
    return found is not None and 1 <= int(found[1]) <= lines + 1


MANIFEST_KEY = re.compile(rf":\d+: (?:{'|'.join((*seeds.MANIFEST_KEYS, *seeds.PUBLISHED_KEYS))})\b")
CONFIGURED_KEY = re.compile(r":\d+: (?:\[|not valid TOML: \S|not UTF-8)")
SETTING_KEY = re.compile(
    r":\d+: (?:[a-z_]+(?:: | is about)|.* is not a setting|LoadGen has no setting |no scenario is named |not UTF-8)"
)
_SYNTAX = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*|'[A-Z]+'|Missing (?:command|argument)")


_SHOWN = (repr, ascii, json.dumps, partial(json.dumps, ensure_ascii=False))


def names_a_word(told: str, words: Sequence[str]) -> bool:
    """True when a message has an option, an argument's name, or one of the words, as text or as Python shows it."""
    parts = {part for word in words for part in (word, str(Path(word)), *word.split("=", 1))}
    shown = {form for part in parts if part for form in (part, *(show(part)[1:-1] for show in _SHOWN))} | {"''"}
    return _SYNTAX.search(told) is not None or any(form in told for form in shown)


def as_yaml(tree: Any) -> bytes:
    """A tree as YAML; half characters are written as YAML's escapes."""
    return yaml.dump(tree, sort_keys=False, allow_unicode=False).encode("utf-8", "surrogatepass")


def as_toml(tree: Any) -> bytes:
    """A tree as TOML, as far as TOML can say it; nested tables inline."""
    tables = tree.items() if isinstance(tree, dict) else [("bench", tree)]
    lines = []
    for name, table in tables:
        if isinstance(table, dict) and name:
            lines += [
                f"[{toml_value(name)}]",
                *(f"{toml_value(key)} = {toml_value(value)}" for key, value in table.items()),
            ]
        else:
            lines.insert(0, f"{toml_value(name)} = {toml_value(table)}")
    return "\n".join(lines).encode("utf-8", "replace")


def toml_value(value: Any) -> str:
    """A value as TOML writes it; null becomes text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_value(str(key))} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps("null" if value is None else value)
