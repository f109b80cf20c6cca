"""Model files out of archives: what is extracted, and everything that is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest

from mlharness.errors import UserError
from mlharness.manifest import archives
from mlharness.manifest.archives import extract_member
from mlharness.paths import cache_dir

CONTENT = os.urandom(3000)
NAME = "models/a.onnx"
KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def make_archive(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that its name ends with."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    modes: dict[str, Literal["w:", "w:gz", "w:bz2", "w:xz"]]
    modes = {".tar": "w:", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}
    with tarfile.open(path, modes[path.suffix]) as packed:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def extract(archive: Path, member: str = NAME) -> Path:
    return extract_member(archive, "the-source", hashlib.sha256(archive.read_bytes()).hexdigest(), member)


def cached() -> list[Path]:
    """Every file under the cache."""
    return [path for path in cache_dir().rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", KINDS)
def test_one_member_is_extracted_and_its_siblings_are_not(tmp_path: Path, kind: str) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {"models/b.onnx": b"other", NAME: CONTENT, "README": b""})
    found = extract(archive)
    assert found.read_bytes() == CONTENT
    assert found.parts[-2:] == ("models", "a.onnx")
    assert found.is_relative_to(cache_dir() / "members" / hashlib.sha256(archive.read_bytes()).hexdigest())
    assert len(cached()) == 2  # the file and its seal


def test_members_of_one_archive_stand_side_by_side(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "m.tar", {NAME: CONTENT, f"{NAME}.data": b"weights"})
    assert extract(archive).parent == extract(archive, f"{NAME}.data").parent


@pytest.mark.parametrize("spelt", [f"./{NAME}", "models//a.onnx", NAME])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_one_path_spelt_in_several_ways(tmp_path: Path, kind: str, spelt: str) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {f"./{NAME}": CONTENT})
    assert extract(archive, spelt).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_member(tmp_path: Path, kind: str) -> None:
    assert extract(make_archive(tmp_path / f"m.{kind}", {NAME: b""})).read_bytes() == b""


def test_what_was_extracted_is_not_extracted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_archive(tmp_path / "m.zip", {NAME: CONTENT})
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    first = extract(archive)
    archive.unlink()
    assert extract_member(archive, "the-source", sha256, NAME) == first


def test_a_damaged_copy_is_extracted_again(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "m.zip", {NAME: CONTENT})
    extract(archive).write_bytes(CONTENT[:-1])
    assert extract(archive).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_misspelt_member(tmp_path: Path, kind: str) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {NAME: CONTENT, "other": b""})
    with pytest.raises(UserError, match=r"the-source holds no 'models/a\.onx'") as caught:
        extract(archive, "models/a.onx")
    assert f"Did you mean {NAME!r}?" in caught.value.remedy


@pytest.mark.parametrize("evil", ["../evil", "models/../../evil", "/var/evil"])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.xz"])
@pytest.mark.parametrize("asked_for", [True, False])
def test_an_entry_outside_its_folder_condemns_the_archive(
    tmp_path: Path, kind: str, evil: str, asked_for: bool
) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {NAME: CONTENT, evil: b"evil"})
    with pytest.raises(UserError, match="out of the archive's own folder") as caught:
        extract(archive, evil if asked_for else NAME)
    assert evil in caught.value.message
    assert cached() == []


@pytest.mark.parametrize("member", ["", ".", "a\0b"])
def test_a_path_that_is_none(tmp_path: Path, member: str) -> None:
    with pytest.raises(UserError, match="the-source"):
        extract(make_archive(tmp_path / "m.zip", {NAME: CONTENT}), member)


def special(kind: bytes) -> Callable[[Path], Path]:
    """A tar archive whose member is of that type."""

    def make(folder: Path) -> Path:
        path = folder / "m.tar"
        with tarfile.open(path, "w") as packed:
            info = tarfile.TarInfo(NAME)
            info.type, info.linkname = kind, "/etc/passwd"
            packed.addfile(info)
        return path

    return make


def zip_link(folder: Path) -> Path:
    """A zip archive whose member is a symbolic link."""
    path = folder / "m.zip"
    info = zipfile.ZipInfo(NAME)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(info, "/etc/passwd")
    return path


def encrypted(folder: Path) -> Path:
    """A zip archive whose member says that it is encrypted."""
    path = make_archive(folder / "m.zip", {NAME: CONTENT})
    raw = bytearray(path.read_bytes())
    raw[6] |= 1  # general purpose flags of the entry itself
    raw[raw.rindex(b"PK\1\2") + 8] |= 1  # and of its line in the directory
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (special(tarfile.SYMTYPE), "a link"),
        (special(tarfile.LNKTYPE), "a link"),
        (special(tarfile.CHRTYPE), "a device"),
        (special(tarfile.FIFOTYPE), "a device"),
        (zip_link, "a link"),
        (encrypted, "encrypted"),
    ],
)
def test_what_is_no_plain_file(tmp_path: Path, make: Callable[[Path], Path], word: str) -> None:
    with pytest.raises(UserError, match=f"the-source: {NAME} is {word}"):
        extract(make(tmp_path))
    assert cached() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage", "empty"])
def test_a_broken_archive(tmp_path: Path, kind: str, damage: str) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {NAME: CONTENT})
    raw = bytearray(archive.read_bytes())
    middle = raw.index(CONTENT[:100]) + 50 if CONTENT[:100] in raw else len(raw) // 2
    flipped = raw[:middle] + bytes(byte ^ 0xFF for byte in raw[middle : middle + 20]) + raw[middle + 20 :]
    archive.write_bytes(bytes({"cut": raw[:1500], "flipped": flipped, "garbage": b"no archive", "empty": b""}[damage]))
    if (kind, damage) == ("tar", "flipped"):
        pytest.skip("a plain tar has no checksum of its contents: the manifest's sha256 is there for that")
    with pytest.raises(UserError, match="the-source") as caught:
        extract(archive)
    assert caught.value.remedy
    assert cached() == []


def test_an_archive_that_is_a_folder_or_missing(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="the-source cannot be read"):
            extract_member(path, "the-source", "0" * 64, NAME)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 2999), ("MAX_ENTRIES", 1)])
def test_a_member_beyond_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, limit: str, value: int
) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {NAME: CONTENT, "other": b""})
    monkeypatch.setattr(archives, limit, value)
    with pytest.raises(UserError, match="holds more than"):
        extract(archive)
    assert cached() == []


def repeated(path: Path, kind: bytes, count: int) -> Path:
    """An archive of so many entries of one name and type, after the model's file."""
    if path.suffix == ".zip":
        make_archive(path, {NAME: CONTENT})
        with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the same name, again and again
            for _ in range(count):
                archive.writestr("again", b"")
        return path
    make_archive(path, {NAME: CONTENT})
    with tarfile.open(path, "a") as packed:
        for _ in range(count):
            info = tarfile.TarInfo("again")
            info.type = kind
            packed.addfile(info)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [("m.zip", b""), ("m.tar", tarfile.REGTYPE), ("m.tar", tarfile.DIRTYPE), ("m.tar", tarfile.SYMTYPE)],
)
def test_entries_count_whatever_they_are_and_however_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: bytes
) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 30)
    assert extract(repeated(tmp_path / name, kind, 29)).read_bytes() == CONTENT
    before = len(cached())
    with pytest.raises(UserError, match="holds more than"):
        extract(repeated(tmp_path / name, kind, 30))
    assert len(cached()) == before


def test_a_bomb_is_found_by_what_it_claims_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.tar"
    with path.open("wb") as file:
        info = tarfile.TarInfo(NAME)
        info.size = archives.MAX_BYTES + 1
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(file.tell() + 512)  # what follows is not there, and is not asked for
    with pytest.raises(UserError, match="the-source") as caught:
        extract(path)
    assert caught.value.remedy
    assert cached() == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_disk_cannot_hold_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    archive = make_archive(tmp_path / f"m.{kind}", {NAME: bytes(1 << 20)})
    monkeypatch.setattr(
        "mlharness.manifest.archives.shutil.disk_usage", lambda path: SimpleNamespace(free=(1 << 20) - 1)
    )
    with pytest.raises(UserError, match=r"has 1,048,576 bytes, and .* has 1,048,575 left"):
        extract(archive)
    assert cached() == []


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_all_memory_is_not_read(tmp_path: Path, kind: bytes, packed: bool) -> None:
    path = tmp_path / "m.tar"
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 1 << 34
    with gzip.open(path, "wb") if packed else path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(archives.MAX_READ // (1 << 20) + 1):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"a header of more than 16 MiB"):
        extract(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * archives.MAX_READ


def test_a_list_of_entries_that_claims_all_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = repeated(tmp_path / "m.zip", b"", 100)
    monkeypatch.setattr(archives, "MAX_READ", 5_000)
    with pytest.raises(UserError, match="a list of entries or a header of more than"):
        extract(archive)
    assert cached() == []


def test_a_size_that_is_a_lie(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "m.zip", {NAME: CONTENT})
    raw = bytearray(archive.read_bytes())
    start = raw.rindex(b"PK\1\2") + 24
    raw[start : start + 4] = (2000).to_bytes(4, "little")
    archive.write_bytes(raw)
    with pytest.raises(UserError, match="the-source"):
        extract(archive)
    assert cached() == []


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    cache_dir().mkdir()
    (cache_dir() / "members").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written") as caught:
        extract(make_archive(tmp_path / "m.zip", {NAME: CONTENT}))
    assert "MLH_CACHE_DIR" in caught.value.remedy


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise OSError(28, "No space left on device")

    archive = make_archive(tmp_path / "m.zip", {NAME: CONTENT})
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(archives, "digest", refuse)
    with pytest.raises(UserError, match="No space left on device"):
        extract_member(archive, "the-source", sha256, NAME)
    assert cached() == []
