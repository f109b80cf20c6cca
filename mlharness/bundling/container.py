"""The file of a bundle: a plain zip, whose bytes are those of its members and depend on nothing else.

Members are stored and not compressed: what a compressor gives depends on its version, and a file whose members are as
long as it says is no zip bomb. Nothing of a bundle is believed before it has been looked at: see :func:`open_bundle`.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from mlharness.bundling.document import AGAIN, DOCUMENT
from mlharness.errors import UserError
from mlharness.manifest.archives import MAX_ENTRIES, Entry, copy, inner_path, open_archive
from mlharness.manifest.files import digest, digest_of

LARGEST_TEXT = 1 << 26
"""The most that is read into memory at once; files of a run are some kilobytes."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip can name."""
_MODE = 0o100644
_UNIX = 3
_CHUNK = 1 << 20
_ZIP = b"PK\3\4"

Content: TypeAlias = "Path | bytes"


class DiskError(UserError):
    """A member cannot be written here, which says nothing of the bundle."""


@dataclass(frozen=True)
class Contents:
    """The members of an open bundle, by name; all of them have been found to be what they may be."""

    source: str
    entries: Mapping[str, Entry]

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's bytes. Raises UserError for one that is not there, or damaged."""
        entry = self.entries.get(name)
        if entry is None:
            raise UserError(f"{self.source} has no {name}", AGAIN)
        try:
            stream = entry.open()
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
            raise UserError(f"{self.source}: {name} cannot be read: {error}", AGAIN) from error
        assert stream is not None, "a member is a regular file"
        with stream:
            yield from copy(stream, entry, self.source)

    def read(self, name: str) -> bytes:
        """A small member. Raises UserError as :meth:`pieces` does, and for one that is too large."""
        if name in self.entries and self.entries[name].size > LARGEST_TEXT:
            raise UserError(f"{self.source}: {name} is larger than {LARGEST_TEXT >> 20} MiB", AGAIN)
        return b"".join(self.pieces(name))

    def extract(self, name: str, target: Path) -> str:
        """Write a member to a file that is not there yet; its sha256. Raises UserError, also when the disk refuses."""
        hashed = hashlib.sha256()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                for piece in self.pieces(name):
                    hashed.update(piece)
                    file.write(piece)
        except OSError as error:
            raise DiskError(f"{target} cannot be written: {error.strerror}", "Free some space.") from error
        return hashed.hexdigest()


@contextmanager
def open_bundle(path: Path) -> Iterator[Contents]:
    """A bundle's members, which can be read as long as the context lasts.

    Raises:
        UserError: there is no such file; it is no zip, cut off, or claims more than it holds; a member would leave its
            folder, is a link, is there twice, or is encrypted.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            begins = file.read(len(_ZIP))
        size = path.stat().st_size
    except OSError as error:
        raise UserError(
            f"{source} cannot be read: {error.strerror}", "Name a bundle, as mlh bundle wrote it."
        ) from error
    if begins != _ZIP:
        raise UserError(f"{source} is no bundle: it is no zip file", "Name a bundle, as mlh bundle wrote it.")
    with ExitStack() as stack:
        try:
            entries = list_entries(stack.enter_context(open_archive(path, source)), source, size)
        except UserError as error:
            raise UserError(error.message, AGAIN) from error
        if DOCUMENT not in entries:
            raise UserError(f"{source} is no bundle: it has no {DOCUMENT}", "Name a bundle, as mlh bundle wrote it.")
        yield Contents(source, entries)


def list_entries(entries: Iterable[Entry], source: str, size: int) -> dict[str, Entry]:
    """Entries by name, once all are known to be harmless. Raises UserError; see :func:`open_bundle`."""
    found: dict[str, Entry] = {}
    total = 0
    for number, entry in enumerate(entries, start=1):
        name = inner_path(entry.name, source)
        if name != entry.name or "\\" in name or not name.isprintable():
            raise UserError(f"{source}: {entry.name!r} is no name of a member")
        if entry.refused:
            raise UserError(f"{source}: {name} is {entry.refused}")
        if name in found:
            raise UserError(f"{source} holds {name} twice")
        total += entry.size
        if total > size or number > MAX_ENTRIES:
            raise UserError(f"{source}: its members claim more bytes than the file has: it is no bundle of mlharness")
        found[name] = entry
    for name in found:
        folder = next((str(parent) for parent in PurePosixPath(name).parents if str(parent) in found), "")
        if folder:
            raise UserError(f"{source} holds {folder} as a file and as a folder")
    return found


def write_bundle(target: Path, members: Mapping[str, Content]) -> str:
    """Write a bundle whole or not at all; the sha256 of its bytes.

    Args:
        target: a file that is not there yet, or is this very bundle.
        members: paths of files, or bytes, by name.

    Raises:
        UserError: there is another file, or the disk refuses.
    """
    partial = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            write_zip(file, members)
        sha256 = sha256_of(partial)
        if target.exists():
            if not target.is_file() or sha256_of(target) != sha256:
                raise UserError(
                    f"{target} is there already, and is something else",
                    "Name another file with -o, or remove that one.",
                )
            return sha256
        partial.replace(target)
    except OSError as error:
        raise UserError(
            f"{target} cannot be written: {error.strerror}", "Free some space, or name another with -o."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return sha256


def write_zip(file: IO[bytes], members: Mapping[str, Content]) -> None:
    """The zip of these members, the document first. Raises OSError."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members, key=lambda name: (name != DOCUMENT, name)):
            content = members[name]
            with archive.open(info_of(name, size_of(content)), "w") as stream:
                if isinstance(content, bytes):
                    stream.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, stream, _CHUNK)


def info_of(name: str, size: int) -> zipfile.ZipInfo:
    """A member's header, without anything of this machine or moment."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.file_size = size
    info.external_attr, info.create_system = _MODE << 16, _UNIX
    return info


def size_of(content: Content) -> int:
    """How many bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def is_canonical(path: Path, members: Mapping[str, Content]) -> bool:
    """Whether a file is, to the byte, what mlharness writes for these members: nothing is before, after or between."""
    with tempfile.TemporaryFile() as file:
        write_zip(file, members)
        file.seek(0)
        return digest_of(file) == digest(path)


def sha256_of(content: Content) -> str:
    """The sha256 of a file's bytes, or of these."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else digest(content)


@dataclass
class Extracted:
    """A bundle's members as files in a folder; ``damaged`` says of those that could not be read why."""

    folder: Path
    hashes: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    @property
    def members(self) -> dict[str, Path]:
        """The files by member's name."""
        return {name: self.folder / name for name in self.hashes}


def extract_all(contents: Contents, folder: Path) -> Extracted:
    """Write every member into an empty folder. Raises UserError when the disk refuses or has not enough space."""
    needed, free = sum(entry.size for entry in contents.entries.values()), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{contents.source} needs {needed:,} bytes in {folder}, which has {free:,} left", "Free some space."
        )
    found = Extracted(folder)
    for name in contents.entries:
        try:
            found.hashes[name] = contents.extract(name, folder / name)
        except DiskError:
            raise
        except UserError as error:
            found.damaged[name] = error.message
    return found
