"""YAML as plain data that remembers the line and column of every key and value.

What comes out is what JSON could say: mappings with text keys, lists, text, finite numbers, true, false and null. A
date stays the text that was written. Whatever could surprise (other tags, merge keys, duplicate keys, values beyond
any sensible size) is refused. Nothing of the file is executed.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import yaml

from mlharness.errors import ManifestError

if TYPE_CHECKING:
    from mlharness.manifest.problems import Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000
"""Keys and values after aliases are expanded."""

KeyPath: TypeAlias = "tuple[str | int, ...]"

_TAG = "tag:yaml.org,2002:"
_SCALARS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null"))
# Their implicit forms are what people write without meaning them: a date, and a lone "=".
_TEXT = frozenset(_TAG + name for name in ("str", "timestamp", "value"))
_INT64 = range(-(2**63), 2**64)
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Place:
    """Where a value stands: 1-based line and column, the line on which its text begins, and a scalar as written.

    A block scalar's text begins on the line after its indicator (``|`` or ``>``).
    """

    line: int
    column: int
    text_line: int
    written: str = ""


@dataclass(frozen=True)
class Located:
    """One YAML file.

    Attributes:
        path: the file, as it was given.
        sha256: of the file's bytes.
        data: the file's mapping, as plain data.
        keys: the place of each key, by the path of the key.
        values: the place of each value, by the path of its key.
        origins: for a file of the published format, which is read as one of ours: the file's own path of each key.
        problems: what is wrong with it as a file of that format; ``data`` is then what the file holds.
        warnings: what of it is deprecated, or read otherwise than it is written.
    """

    path: Path
    sha256: str
    data: dict[str, Any]
    keys: Mapping[KeyPath, Place]
    values: Mapping[KeyPath, Place]
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def place(self, key: KeyPath) -> Place:
        """Where a value stands; for what is not there, where the nearest thing around it stands."""
        while key not in self.values:
            key = key[:-1]
        return self.values[key]

    def line(self, key: KeyPath) -> int:
        """The 1-based line of a key, or of a list's item; for what is not there, of the nearest thing around it."""
        return self.keys[key].line if key in self.keys else self.place(key).line

    def origin(self, key: KeyPath) -> KeyPath:
        """What the file itself calls a key, for messages."""
        if not self.origins:
            return key
        known = next(length for length in range(len(key), -1, -1) if key[:length] in self.origins)
        return (*self.origins[key[:known]], *key[known:])


def read_located(path: Path) -> Located:
    """Read and parse one file.

    Raises:
        ManifestError: the file cannot be read, is over 1 MiB, is not UTF-8, or is not plain YAML with a mapping at its
            top; the message has the file, and the line where there is one.
    """
    raw = read_bytes(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _refuse(path, line, f"not UTF-8 (byte 0x{raw[error.start]:02x})", "Save the file as UTF-8.")
    return parse_located(path, text, hashlib.sha256(raw).hexdigest())


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises ManifestError when it is no readable file, or is over 1 MiB."""
    try:
        # A named pipe would be waited for, and a directory's own error says less.
        if path.exists() and not path.is_file():
            what = "a directory" if path.is_dir() else "not a regular file"
            raise ManifestError(f"{path} is {what}, not a manifest", "Give the path of a YAML file.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ManifestError(f"there is no file {path}", "Check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        said = getattr(error, "strerror", None) or error
        raise ManifestError(f"{path} cannot be read: {said}", "Check the path and its permissions.") from error
    if len(raw) > MAX_BYTES:
        raise ManifestError(f"{path} is larger than 1 MiB", "Move data out of the manifest, into files that it names.")
    return raw


def parse_located(path: Path, text: str, sha256: str) -> Located:
    """Parse YAML text; ``path`` is for messages only. Raises ManifestError as :func:`read_located` does."""
    try:
        _check_events(path, text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            reader = _Reader(path, loader)
            data = reader.value(root, (), 1) if root is not None else None
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        if "nesting depth" in str(error):  # libyaml has a limit of its own since PyYAML 6.0.4, and reads ahead
            _refuse(path, _error_line(error, text), "nested too deeply", f"Use at most {MAX_DEPTH} levels.")
        _refuse(path, _error_line(error, text), f"not valid YAML: {_error_text(error)}")
    except RecursionError:
        _refuse(path, 1, "nested too deeply", f"Use at most {MAX_DEPTH} levels.")
    if not isinstance(data, dict):
        found = "empty" if root is None else _kind(root)
        _refuse(
            path, 1, f"the file is {found}, and must be a mapping", "Begin it with `kind: model` or `kind: dataset`."
        )
    return Located(path, sha256, data, reader.keys, reader.values)


def _check_events(path: Path, text: str) -> None:
    """Refuse deep nesting before nodes are composed, which recurses once a level."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            _refuse(path, _line(event), "nested too deeply", f"Use at most {MAX_DEPTH} levels.")


@dataclass
class _Reader:
    """Turns composed nodes into plain data, and notes where each stood."""

    path: Path
    loader: Any
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    nodes: int = 0

    def value(self, node: yaml.Node, key: KeyPath, depth: int) -> Any:
        """The node's plain data; aliases are expanded, so that each has its own path."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.refuse(node, f"more than {MAX_NODES} values, aliases expanded", "Move data out of the manifest.")
        if depth > MAX_DEPTH:
            self.refuse(node, "nested too deeply, or an alias of itself", f"Use at most {MAX_DEPTH} levels.")
        self.values[key] = _place(node)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return {name: self.value(inner, (*key, name), depth + 1) for name, inner in self.pairs(node, key)}
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(inner, (*key, index), depth + 1) for index, inner in enumerate(node.value)]
        return self.scalar(node)

    def pairs(self, node: yaml.MappingNode, key: KeyPath) -> Iterator[tuple[str, yaml.Node]]:
        """A mapping's keys and value nodes. Refuses keys that are no text, and a key that stands there twice."""
        first: dict[str, int] = {}
        for name_node, inner in node.value:
            name = self.key_name(name_node)
            line = _line(name_node)
            if name in first:
                self.refuse(name_node, f"the key {name!r} is on line {first[name]} too", "Keep one of them.")
            first[name] = line
            here = (*key, name)
            self.keys[here] = _place(name_node)
            yield name, inner

    def key_name(self, node: yaml.Node) -> str:
        """A key's text."""
        if node.tag == _TAG + "merge":
            self.refuse(node, "merge keys (<<) are not read", "Write the keys out.")
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, f"a key is {_kind(node)}, and must be text", "Write a name before the colon.")
        if node.tag not in _TEXT:
            self.refuse(
                node, f"the key {_short(node.value)} is not text", f'Write it in quotes: "{_short(node.value)}".'
            )
        return str(self.scalar(node))

    def scalar(self, node: yaml.Node) -> Any:
        """Text, a finite number, true, false or null."""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _SCALARS | _TEXT:
            tag = str(node.tag).replace(_TAG, "!!")
            self.refuse(node, f"the tag {_short(tag)} is not read here", "Use plain text, numbers, lists and mappings.")
        value = node.value if node.tag in _TEXT else self.construct(node)
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            self.refuse(node, "text holds half a character (a lone surrogate)", "Write the character itself.")
        if isinstance(value, float) and not math.isfinite(value):
            self.refuse(node, f"{_short(node.value)} is not a finite number", "Write a number, or text in quotes.")
        if isinstance(value, int) and value not in _INT64:
            self.refuse(node, f"the number {_short(node.value)} needs more than 64 bits", "Write it in quotes.")
        return value

    def construct(self, node: yaml.ScalarNode) -> Any:
        """The value that PyYAML gives the scalar's tag."""
        try:
            return self.loader.construct_object(node)
        # What PyYAML raises for text that an explicit tag does not fit, as in `!!int x`.
        except (ValueError, KeyError, IndexError, OverflowError):
            tag = node.tag.replace(_TAG, "!!")
            self.refuse(node, f"{_short(node.value)} is no {tag} that can be read", "Write it as plain text or number.")

    def refuse(self, node: yaml.Node, message: str, remedy: str) -> NoReturn:
        """Raise ManifestError at the node."""
        _refuse(self.path, _line(node), message, remedy)


def _line(part: yaml.Node | yaml.Event) -> int:
    return int(part.start_mark.line) + 1 if part.start_mark is not None else 1


def _column(node: yaml.Node) -> int:
    return int(node.start_mark.column) + 1 if node.start_mark is not None else 1


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.CollectionNode):
        return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
    return "a single value"


def _place(node: yaml.Node) -> Place:
    line = _line(node)
    if not isinstance(node, yaml.ScalarNode):
        return Place(line, _column(node), line)
    is_block = node.style in ("|", ">")
    return Place(line, _column(node), line + is_block, node.value)


def _refuse(path: Path, line: int, message: str, remedy: str = "Correct the YAML there.") -> NoReturn:
    raise ManifestError(f"{path}:{line}: {message}", remedy)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _error_text(error: yaml.YAMLError) -> str:
    said = [getattr(error, name, None) for name in ("context", "problem", "reason")]
    return ", ".join(str(part) for part in said if part) or " ".join(str(error).split())


def _error_line(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    # A character that YAML does not allow: libyaml counts bytes, the pure Python reader characters.
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return 1
    before = text.encode()[:position].decode(errors="ignore") if _Loader is not yaml.SafeLoader else text[:position]
    return before.count("\n") + 1
