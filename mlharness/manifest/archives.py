"""One file out of an archive (zip, tar, or tar with gzip, bzip2 or xz), kept in the cache under the archive's sha256.

An archive comes from somewhere else, so nothing that it says is followed: one with an entry that would leave its folder
is refused whole, links and devices are never made, no more bytes are written than the entry declares and the disk has,
and no list of entries or header is read that claims more memory than one of a model needs.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import secrets
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias, cast

from mlharness.errors import UserError, did_you_mean
from mlharness.manifest.files import digest
from mlharness.paths import cache_dir

MAX_BYTES = 64 << 30
"""The most that an archive may hold, unpacked: more than a model that one host runs, and far less than what a small
archive of zeros can claim, whose entries must be unpacked to find the next."""

MAX_ENTRIES = 100_000
"""Archives of models hold a handful; a hostile one can list more entries than memory holds."""

MAX_READ = 16 << 20
"""The most that is read at once: a zip's list of entries, or one header of a tar, which are as long as they claim. The
list of :data:`MAX_ENTRIES` entries is that large."""

_CHUNK = 1 << 20
_ZIP = (b"PK\3\4", b"PK\5\6")

# What the standard library raises for damaged archives, by format: zip, gzip and tar, bzip2 (OSError), xz; and for a
# compression that this Python was built without.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, tarfile.TarError, EOFError, OSError, lzma.LZMAError, NotImplementedError,
    RuntimeError, ValueError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One regular or other entry of an archive.

    ``refused`` says why it cannot be taken out, empty when it can; ``finish`` reads what the format's own checksum
    covers beyond the entry, once the entry has been read.
    """

    name: str
    size: int
    refused: str
    open: Callable[[], IO[bytes] | None]
    finish: Callable[[], None] = lambda: None


Entries: TypeAlias = "Iterable[Entry]"


class Bounded:
    """A file that gives nobody more than :data:`MAX_READ` bytes at once; all but reading is the file's own.

    ``zipfile`` and ``tarfile`` read as much as the archive claims, into memory.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """As of a file. Raises ValueError for more than there may be."""
        data: bytes = self._file.read(MAX_READ + 1 if size < 0 else min(size, MAX_READ + 1))
        if len(data) > MAX_READ:
            raise ValueError(f"it has a list of entries or a header of more than {MAX_READ >> 20} MiB")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def extract_member(archive: Path, source: str, sha256: str, member: str) -> Path:
    """The file that holds one member of an archive; it is extracted when it is not in the cache yet.

    Args:
        archive: the archive here.
        source: the archive as the manifest names it, for messages.
        sha256: of the archive's bytes.
        member: the path inside the archive, with '/'.

    Raises:
        UserError: a member that is not there, is no regular file, is encrypted or too large; an archive that is none,
            is damaged, or holds an entry outside its own folder; a cache that cannot be written.
    """
    name = inner_path(member, source)
    target = cache_dir() / "members" / sha256 / name
    try:
        if is_whole(target):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable_cache(target, error) from error
    with open_archive(archive, source) as entries:
        found = find(entries, source, member, name)
        with _reading(source):
            stream = found.open()
        if stream is None:
            raise UserError(f"{source}: {member} is no regular file", "Name a file inside the archive.")
        with stream:
            check_space(target, found, source)
            write_whole(target, copy(stream, found, source))
    return target


def check_space(target: Path, entry: Entry, source: str) -> None:
    """Raise UserError when the disk cannot hold an entry: a small archive can fill any disk with zeros."""
    free = shutil.disk_usage(target.parent).free
    if entry.size > free:
        raise UserError(
            f"{source}: {entry.name} has {entry.size:,} bytes, and {target.parent} has {free:,} left",
            "Free some space, or move the cache with MLH_CACHE_DIR.",
        )


def inner_path(name: str, source: str) -> str:
    """An entry's path without '.' and doubled '/'. Raises UserError when it would leave the archive's own folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        raise UserError(
            f"{source}: the path {name!r} leads out of the archive's own folder",
            "Do not use this archive, or correct member in the manifest.",
        )
    return str(path)


@contextmanager
def open_archive(archive: Path, source: str) -> Iterator[Entries]:
    """The archive's entries, each of which can be opened as long as the context lasts."""
    with ExitStack() as stack:
        with _reading(source):
            file = stack.enter_context(archive.open("rb"))
            begins = file.read(6)
            file.seek(0)
            opened: zipfile.ZipFile | tarfile.TarFile
            if begins[:4] in _ZIP:
                opened = zipfile.ZipFile(Bounded(file))
            else:
                unpacked = stack.enter_context(unpacking(file, begins))
                opened = tarfile.TarFile(fileobj=Bounded(unpacked))
        stack.enter_context(opened)
        yield zip_entries(opened) if isinstance(opened, zipfile.ZipFile) else tar_entries(opened)


def unpacking(file: IO[bytes], begins: bytes) -> IO[bytes]:
    """The file without its compression, which its first bytes tell."""
    if begins.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if begins.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if begins.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):  # xz, and the older format of lzma
        return lzma.LZMAFile(file)
    return file


def zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    """The files of a zip archive."""
    for info in archive.infolist():
        if not info.is_dir():
            # The upper half of this field holds the Unix mode, where the archive has one: 0xA000 is a link.
            is_link = (info.external_attr >> 16) & 0xF000 == 0xA000
            refused = "a link" if is_link else "encrypted" if info.flag_bits & 1 else ""
            yield Entry(info.filename, info.file_size, refused, partial(archive.open, info))


def tar_entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    """Everything but the folders of a tar archive. Raises ValueError for too many of either."""
    for number, info in enumerate(archive, start=1):
        if number > MAX_ENTRIES:
            raise ValueError(f"it holds more than {MAX_ENTRIES} files and folders")
        if not info.isdir():
            refused = "" if info.isreg() else "a link" if info.islnk() or info.issym() else "a device"
            yield Entry(info.name, info.size, refused, partial(archive.extractfile, info), partial(read_on, archive))


def read_on(archive: tarfile.TarFile) -> None:
    """Read to the end, where gzip has its checksum. Raises what a damaged archive raises."""
    assert archive.fileobj is not None, "open for reading"
    for _ in range(0, MAX_BYTES, _CHUNK):
        if not archive.fileobj.read(_CHUNK):
            return


def find(entries: Entries, source: str, member: str, name: str) -> Entry:
    """The entry of that path. Every entry is looked at, since one that leaves the folder condemns the archive."""
    by_name: dict[str, Entry] = {}
    total = 0
    with _reading(source):
        for number, entry in enumerate(entries, start=1):
            by_name[inner_path(entry.name, source)] = entry  # of two of one name, the last, as unpacking would leave
            total += entry.size
            if total > MAX_BYTES or number > MAX_ENTRIES:
                raise UserError(
                    f"{source} holds more than {MAX_BYTES >> 30} GiB or {MAX_ENTRIES} files, and is not unpacked",
                    "Extract the model's file yourself, and name it in the manifest.",
                )
    if name not in by_name:
        raise UserError(f"{source} holds no {member!r}", did_you_mean(name, by_name))
    found = by_name[name]
    if found.refused:
        raise UserError(f"{source}: {member} is {found.refused}", "Name a regular file inside the archive.")
    return found


def copy(stream: IO[bytes], entry: Entry, source: str) -> Iterator[bytes]:
    """The entry's bytes, in pieces. Raises UserError unless there are as many as it declares, undamaged."""
    left = entry.size
    while left >= 0:
        with _reading(source):
            # One byte more than what is left: a stream that goes on is noticed, and never written.
            piece = stream.read(min(_CHUNK, left + 1))
        left -= len(piece)
        if not piece or left < 0:
            break
        yield piece
    if left:
        raise UserError(f"{source} is damaged: {entry.name} has not the {entry.size} bytes that it declares", _AGAIN)
    with _reading(source):
        entry.finish()


def write_whole(target: Path, pieces: Iterable[bytes]) -> None:
    """Write a file whole or not at all, and beside it its sha256, by which :func:`is_whole` knows it again."""
    partial = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        with partial.open("xb") as file:
            for piece in pieces:
                file.write(piece)
        _seal(target).write_text(digest(partial))
        partial.replace(target)
    except OSError as error:
        raise _unusable_cache(target, error) from error
    finally:
        partial.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """True when the file has the sha256 that was noted when it was extracted."""
    return path.is_file() and _seal(path).is_file() and digest(path) == _seal(path).read_text()


def _seal(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


_AGAIN = "Fetch it again, or make it again; a sha256 in the manifest tells a damaged copy."


@contextmanager
def _reading(source: str) -> Iterator[None]:
    """Turns what reading a damaged archive raises into UserError."""
    try:
        yield
    except _BROKEN as error:
        said = str(error) or type(error).__name__
        raise UserError(f"{source} cannot be read as a zip or tar archive: {' '.join(said.split())}", _AGAIN) from error


def _unusable_cache(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written: {error.strerror or error}", "Free some space, or move the cache with MLH_CACHE_DIR."
    )
