"""The file of a bundle: the same bytes for the same members, and nothing of a hostile one is written or believed."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from mlharness.bundling.container import Contents, extract_all, is_canonical, open_bundle, write_bundle
from mlharness.errors import UserError

MEMBERS = {"bundle.json": b"{}", "run/b.txt": b"two", "run/a.txt": b"one"}


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one")
    one = write_bundle(tmp_path / "one", MEMBERS)
    other = write_bundle(tmp_path / "two", {**dict(reversed(MEMBERS.items())), "run/a.txt": tmp_path / "a.txt"})
    assert one == other
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one") as archive:
        assert archive.namelist() == ["bundle.json", "run/a.txt", "run/b.txt"]
        assert archive.testzip() is None


def test_a_bundle_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.mlhz cannot be written: No such file"):
        write_bundle(tmp_path / "x.mlhz", {**MEMBERS, "run/c": tmp_path / "gone"})
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_not_overwritten_and_the_same_bundle_may_be_there(tmp_path: Path) -> None:
    target = tmp_path / "x.mlhz"
    target.write_bytes(b"mine")
    with pytest.raises(UserError, match="is there already, and is something else"):
        write_bundle(target, MEMBERS)
    assert target.read_bytes() == b"mine"
    target.unlink()
    assert write_bundle(target, MEMBERS) == write_bundle(target, MEMBERS)
    assert [path.name for path in tmp_path.iterdir()] == ["x.mlhz"]


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    write_bundle(tmp_path / "x.mlhz", MEMBERS)
    (tmp_path / "out").mkdir()
    with open_bundle(tmp_path / "x.mlhz") as contents:
        assert contents.read("run/a.txt") == b"one"
        with pytest.raises(UserError, match="has no run/c"):
            contents.read("run/c")
        found = extract_all(contents, tmp_path / "out")
    assert found.damaged == {}
    assert {name: path.read_bytes() for name, path in found.members.items()} == MEMBERS
    assert is_canonical(tmp_path / "x.mlhz", found.members)


def hostile(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip with a document, and these entries as they are."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("bundle.json", b"{}")
        for name, content in entries:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (("../outside", b"x"), "leads out of the archive's own folder"),
        (("run/../../outside", b"x"), "leads out of the archive's own folder"),
        (("/etc/outside", b"x"), "leads out of the archive's own folder"),
        (("run//a", b"x"), "is no name of a member"),
        (("./a", b"x"), "is no name of a member"),
        (("run\\a", b"x"), "is no name of a member"),
        (("run/\x1b[2Ja", b"x"), "is no name of a member"),
        ((link("run/a"), b"/etc/passwd"), "run/a is a link"),
        (("bundle.json/a", b"x"), "holds bundle.json as a file and as a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_entries_are_refused_whole(tmp_path: Path, entry: tuple[str, bytes], words: str) -> None:
    path = hostile(tmp_path / "x.mlhz", entry)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"x\.mlhz") as caught, open_bundle(path):
        raise AssertionError("it was opened")
    assert words in caught.value.message
    assert caught.value.remedy == "Fetch the bundle again, or ask whoever made it."
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.mlhz", ("run/a", b"1"), ("run/a", b"2"))
    with pytest.raises(UserError, match="holds run/a twice"), open_bundle(path):
        raise AssertionError("it was opened")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.mlhz", ("run/a", b"\0" * 10_000_000), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    with pytest.raises(UserError, match="claim more bytes than the file has"), open_bundle(path):
        raise AssertionError("it was opened")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.mlhz", ("run/a", b"x"))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2")
    data[at + 8] |= 1  # the flags in the list of entries
    path.write_bytes(data)
    with pytest.raises(UserError, match="run/a is encrypted"), open_bundle(path):
        raise AssertionError("it was opened")


@pytest.mark.parametrize("keep", [0, 1, 4, 30, 100, -1, -10, -30])
def test_a_truncated_bundle_is_refused(tmp_path: Path, keep: int) -> None:
    write_bundle(tmp_path / "whole", MEMBERS)
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / "x.mlhz").write_bytes(data[:keep])
    with pytest.raises(UserError, match=r"x\.mlhz"), open_bundle(tmp_path / "x.mlhz"):
        raise AssertionError("it was opened")


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x1f\x8b\x08\0", b"BZh9", b"PK\5\6" + bytes(18)])
def test_what_is_no_bundle_is_said_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mlhz").write_bytes(content)
    with pytest.raises(UserError, match="is no bundle: it is no zip file"), open_bundle(tmp_path / "x.mlhz"):
        raise AssertionError("it was opened")
    with pytest.raises(UserError, match="cannot be read: No such file"), open_bundle(tmp_path / "gone"):
        raise AssertionError("it was opened")
    with pytest.raises(UserError, match="cannot be read: Is a directory"), open_bundle(tmp_path):
        raise AssertionError("it was opened")


def test_a_zip_of_somebody_else_has_no_document(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", b"1")
    with pytest.raises(UserError, match=r"it has no bundle\.json"), open_bundle(tmp_path / "x.zip"):
        raise AssertionError("it was opened")


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path / "x.mlhz", MEMBERS)
    usage = type("Usage", (), {"free": 3})
    monkeypatch.setattr("mlharness.bundling.container.shutil.disk_usage", lambda path: usage)
    (tmp_path / "out").mkdir()
    with open_bundle(tmp_path / "x.mlhz") as contents, pytest.raises(UserError, match="has 3 left"):
        extract_all(contents, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_large_text_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlharness.bundling.container.LARGEST_TEXT", 2)
    write_bundle(tmp_path / "x.mlhz", MEMBERS)
    with open_bundle(tmp_path / "x.mlhz") as contents, pytest.raises(UserError, match=r"run/a\.txt is larger"):
        contents.read("run/a.txt")


def test_bytes_before_between_or_after_members_are_seen(tmp_path: Path) -> None:
    write_bundle(tmp_path / "x.mlhz", MEMBERS)
    data = (tmp_path / "x.mlhz").read_bytes()
    archive = io.BytesIO(data)
    with zipfile.ZipFile(archive, "a") as appended:
        appended.comment = b"hello"
    (tmp_path / "commented").write_bytes(archive.getvalue())
    assert is_canonical(tmp_path / "x.mlhz", MEMBERS)
    assert not is_canonical(tmp_path / "commented", MEMBERS)


def test_contents_know_no_member_that_is_not_there() -> None:
    with pytest.raises(UserError, match="here has no a"):
        list(Contents("here", {}).pieces("a"))
