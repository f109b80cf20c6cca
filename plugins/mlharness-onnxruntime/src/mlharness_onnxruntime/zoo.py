"""The source ``onnxzoo://``: files of the ONNX Model Zoo, or of any folder or server with its layout.

``onnxzoo://resnet50-v1-7`` names a file, ``onnxzoo://ResNet50?opset=12`` a model of the zoo's list (without ``opset``,
the newest). The list, ``ONNX_HUB_MANIFEST.json``, gives each file's path and sha256. It is brought anew whenever a file
is fetched, and kept in the cache, so that a file is found again without a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mlharness.builtin import download
from mlharness.errors import UserError, did_you_mean
from mlharness.manifest.files import verify
from mlharness.paths import cache_dir

BASE = "https://github.com/onnx/models/raw/main"
_LIST = "ONNX_HUB_MANIFEST.json"
_MOST_BYTES = 1 << 24  # the zoo's list has 400 kB
_ELSEWHERE = "Or set MLH_ONNXZOO to a copy of the zoo: https://HOST/PATH, or file:///FOLDER."


@dataclass(frozen=True)
class Wish:
    """What a URI asks for."""

    uri: str
    name: str
    opset: int | None


@dataclass(frozen=True)
class Entry:
    """One file of the zoo: its model's name, where it lies under the base address, and its sha256."""

    model: str
    path: str
    opset: int
    sha256: str

    @property
    def stem(self) -> str:
        """The file's name without ``.onnx``, which no other file has."""
        return PurePosixPath(self.path).stem


def locate(uri: str, sha256: str | None) -> Path | None:
    """The file when it is here: in the cache, or in the folder that ``MLH_ONNXZOO`` names. No network is used.

    Raises:
        UserError: the URI or ``MLH_ONNXZOO`` makes no sense, the folder has no such file, or a checksum differs.
    """
    wish, base = parse(uri), base_address()
    folder = local_folder(base)
    if folder is not None:
        entry = agreed(find(wish, read_list(folder / _LIST)), wish, sha256)
        path = folder / entry.path
        return verify(path, entry.sha256, uri) if path.is_file() else None
    if sha256 is not None:
        return download.locate(uri, sha256)
    kept = kept_list(base)
    entries = read_list(kept) if kept.is_file() else []
    found = candidates(wish, entries)
    return download.locate(uri, found[-1].sha256) if found else None


def fetch(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    """Bring the file into the cache, its bytes checked against the zoo's list (and the manifest's sha256, if any).

    Raises:
        UserError: as :func:`locate`; and when the zoo has no such model, cannot be reached, or sends another file.
    """
    wish, base = parse(uri), base_address()
    folder = local_folder(base)
    if folder is not None:
        entry = find(wish, read_list(folder / _LIST))
        raise UserError(
            f"{uri}: the folder {folder} has no file {entry.path}", "Complete the copy of the zoo, or use another one."
        )
    entry = agreed(find(wish, newest_list(base)), wish, sha256)
    try:
        return download.fetch(f"{base}/{quote(entry.path)}", entry.sha256, advance)
    except UserError as error:
        # The remedy that is known there speaks of an address and a sha256 in the manifest, which has neither.
        remedy = f"Check the network, and run the command again. {_ELSEWHERE}"
        raise UserError(f"{uri}: {error.message}", remedy) from error


def parse(uri: str) -> Wish:
    """Name and opset of a URI. Raises UserError for anything else in it."""
    parts = urlsplit(uri)
    name = unquote(parts.netloc + parts.path)
    asked = parse_qs(parts.query, keep_blank_values=True)
    opset = asked.pop("opset", [""])[-1]
    if not name.strip("/ ") or "/" in name or parts.fragment or asked or not re.fullmatch(r"\d{0,4}", opset):
        raise UserError(f"{uri} names no model of the zoo", "Write onnxzoo://FILE, or onnxzoo://MODEL?opset=NUMBER.")
    if "opset" in parts.query and not opset:
        raise UserError(f"{uri} gives no opset", "Write onnxzoo://MODEL?opset=NUMBER.")
    return Wish(uri, name.removesuffix(".onnx"), int(opset) if opset else None)


def base_address() -> str:
    """Where the zoo is: ``MLH_ONNXZOO``, else its own address; without a slash at the end."""
    base = os.environ.get("MLH_ONNXZOO", "").rstrip("/") or BASE
    if not base.startswith(("https://", "file:///")):
        raise UserError(f"MLH_ONNXZOO is {base!r}, which is no address", "Write https://HOST/PATH, or file:///FOLDER.")
    return base


def local_folder(base: str) -> Path | None:
    """The folder of a ``file://`` address."""
    return Path(unquote(urlsplit(base).path)) if base.startswith("file:") else None


def kept_list(base: str) -> Path:
    """Where the list of an address is kept."""
    return cache_dir() / "zoo" / "onnx" / f"{hashlib.sha256(base.encode()).hexdigest()[:16]}.json"


def newest_list(base: str) -> list[Entry]:
    """The zoo's list as it is now, or, without a network, as it was last. Raises UserError when there is neither."""
    import requests

    kept = kept_list(base)
    try:
        content = _get(f"{base}/{_LIST}")
    except (requests.RequestException, OSError) as error:
        if kept.is_file():
            return read_list(kept)
        what = f"{base}/{_LIST} cannot be fetched: {_reason(error)}"
        raise UserError(what, f"Check the network. {_ELSEWHERE}") from error
    entries = parse_list(content, f"{base}/{_LIST}")
    with contextlib.suppress(OSError):  # a cache that is full or read-only: the download will say so
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f"{kept.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(kept)
    return entries


def read_list(path: Path) -> list[Entry]:
    """The entries of a list that is here. Raises UserError when it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"the zoo's list {path} cannot be read: {error.strerror}", f"Check MLH_ONNXZOO: its folder holds {_LIST}."
        ) from error
    return parse_list(content, str(path))


def parse_list(content: bytes, where: str) -> list[Entry]:
    """The entries of a list; those without a usable path and sha256 are left out. UserError when it is no list."""
    try:
        listed = json.loads(content)
        entries = [_entry(item) for item in listed]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{where} is not a list of the zoo's kind", f"Check MLH_ONNXZOO, or delete {where}.") from error
    return [entry for entry in entries if entry is not None]


def candidates(wish: Wish, entries: Sequence[Entry]) -> list[Entry]:
    """What a wish can mean, by opset: a file of that name, else the model's files."""
    name = _fold(wish.name)
    named = [entry for entry in entries if _fold(entry.stem) == name]
    found = named or [entry for entry in entries if _fold(entry.model) == name]
    return sorted(
        (entry for entry in found if wish.opset in (None, entry.opset)), key=lambda entry: (entry.opset, entry.stem)
    )


def find(wish: Wish, entries: Sequence[Entry]) -> Entry:
    """The file that a wish means. Raises UserError with the likely right name, or the opsets that there are."""
    found = candidates(wish, entries)
    if found:
        return found[-1]
    others = candidates(Wish(wish.uri, wish.name, None), entries)
    if others:
        opsets = ", ".join(str(entry.opset) for entry in others)
        raise UserError(f"{wish.uri}: the zoo has {wish.name} for no opset {wish.opset}", f"It has opset {opsets}.")
    names = {name for entry in entries for name in (entry.model, entry.stem)}
    raise UserError(f"{wish.uri}: the zoo has no model {wish.name!r}", did_you_mean(wish.name, names))


def agreed(entry: Entry, wish: Wish, sha256: str | None) -> Entry:
    """The entry, when the manifest gives its sha256 or none. Raises UserError naming both."""
    if sha256 in (None, entry.sha256):
        return entry
    raise UserError(
        f"{wish.uri} has the sha256 {entry.sha256} in the zoo's list, and {sha256} in the manifest",
        "Correct sha256 in the manifest if the zoo's file is the one that is meant, or name another file.",
    )


def _entry(item: Mapping[str, Any]) -> Entry | None:
    path, sha256 = str(item["model_path"]), str(item["metadata"].get("model_sha", "")).lower()
    inside = not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
    if not inside or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        return None
    return Entry(str(item["model"]), path, int(item["opset_version"]), sha256)


def _get(address: str) -> bytes:
    """The bytes at an address. Raises what requests raises, and OSError for more than a list can have."""
    with download.open_session() as session, session.get(address, timeout=(10, 60), stream=True) as response:
        response.raise_for_status()
        content = b""
        for chunk in response.iter_content(1 << 16):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise OSError("it is too large for a list")
    return content


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    return "the server cannot be reached" if isinstance(error, requests.ConnectionError) else str(error)


def _fold(name: str) -> str:
    """One spelling for 'Emotion FERPlus' and 'emotion-ferplus'."""
    return re.sub(r"[\s_-]+", "-", name).casefold()
