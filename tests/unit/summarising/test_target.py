"""Where a summary goes: how it is written down, and what a file holds before, during and after."""

from __future__ import annotations

import errno
import io
import os
import threading
from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.summarising.summary import Case
from mlharness.summarising.target import Target, parse_target, parse_targets, unfinished
from tests.unit.summarising.making import a_summary

DONE = a_summary(Case("s", "a"))
BEGUN = unfinished("mlh bench null", "2026-03-01T10:00:00.125+00:00", "desk", "0.1.0")


@pytest.mark.parametrize(
    ("text", "form", "path"),
    [
        ("markdown:x", "markdown", "x"),
        ("junit:a/b.txt", "junit", "a/b.txt"),
        ("json:x.md", "json", "x.md"),
        ("x.md", "markdown", "x.md"),
        ("x.XML", "junit", "x.XML"),
        ("a.b/x.json", "json", "a.b/x.json"),
        ("./odd:x.xml", "junit", "./odd:x.xml"),
        ("markdown:/a:b", "markdown", "/a:b"),
        ("junit:-", "junit", None),
    ],
)
def test_a_target(text: str, form: str, path: str | None) -> None:
    assert parse_target(text) == Target(form, None if path is None else Path(path))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["x.txt"], "'x.txt' says no format"),
        (["-"], "'-' says no format"),
        ([""], "'' says no format"),
        (["markdwon:x.md"], "Did you mean 'markdown'?"),
        (["junit:"], "If that is a variable, is it set?"),
        (["x.xml", "junit:./x.xml"], "another summary goes there, too"),
        (["json:-", "junit:-"], "another summary goes there, too"),
    ],
)
def test_what_is_no_target(texts: list[str], words: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_targets(texts)
    assert words in str(raised.value)


def test_until_the_end_a_file_says_that_there_was_none(tmp_path: Path) -> None:
    target = Target("junit", tmp_path / "new" / "x.xml")
    target.begin(BEGUN)
    assert "has not ended, or was killed" in (tmp_path / "new" / "x.xml").read_text("utf-8")
    target.write(DONE, io.StringIO())
    assert 'errors="0"' in (tmp_path / "new" / "x.xml").read_text("utf-8")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.xml"]


def test_markdown_is_appended_and_the_others_replaced(tmp_path: Path) -> None:
    for name, form in (("x.md", "markdown"), ("x.json", "json")):
        (tmp_path / name).write_text("before\n", "utf-8")
        target = Target(form, tmp_path / name)
        target.begin(BEGUN)
        target.write(DONE, io.StringIO())
    assert (tmp_path / "x.md").read_text("utf-8") == "before\n\n## mlh bench null: passed\n"
    assert (tmp_path / "x.json").read_text("utf-8").startswith("{")


def test_standard_output() -> None:
    out = io.StringIO()
    target = Target("markdown", None)
    target.begin(BEGUN)
    target.write(DONE, out)
    assert out.getvalue() == "## mlh bench null: passed\n"


def test_a_link_leads_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old", "utf-8")
    (tmp_path / "x.json").symlink_to("real.json")
    Target("json", tmp_path / "x.json").write(DONE, io.StringIO())
    assert (tmp_path / "x.json").is_symlink()
    assert (tmp_path / "real.json").read_text("utf-8").startswith("{")


def test_a_pipe_gets_one_document(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.json")
    target, got = Target("json", tmp_path / "x.json"), list[str]()
    reader = threading.Thread(target=lambda: got.append((tmp_path / "x.json").read_text("utf-8")))
    reader.start()
    target.begin(BEGUN)
    target.write(DONE, io.StringIO())
    reader.join(20)
    assert len(got) == 1
    assert '"outcome": "passed"' in got[0]


@pytest.mark.parametrize("form", ["markdown", "junit"])
@pytest.mark.parametrize("place", ["folder", "file/x", "x" * 300])
def test_what_cannot_be_written_is_told_before_anything_runs(tmp_path: Path, form: str, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(UserError, match="cannot write the summary"):
        Target(form, tmp_path / place).begin(BEGUN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_disk_that_is_full_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str, encoding: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError) as raised:
        Target("junit", tmp_path / "x.xml").write(DONE, io.StringIO())
    assert "No space left" in raised.value.message
    assert "The runs are complete" in raised.value.remedy
