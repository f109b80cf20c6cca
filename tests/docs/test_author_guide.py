"""``plugins/README.md`` is carried out, from the document itself: its commands run, its files are written."""

from __future__ import annotations

import os
import re
import stat
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs import console
from tests.docs.conftest import ROOT

GUIDE = ROOT / "plugins" / "README.md"
_BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"`([^`\s]+)`:\Z")
_MLH = "#!{python}\nimport sys\nfrom mlharness.cli.main import main\nsys.exit(main())\n"


@dataclass(frozen=True)
class Block:
    """One fenced block: commands, or a file that the line before it names."""

    text: str
    file: str = ""


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page in order. Raises ValueError for one that is neither commands nor a named file."""
    for match in _BLOCK.finditer(page):
        if match["language"] == "console":
            yield Block(match["text"])
            continue
        named = _FILE.search(match["before"])
        if named is None:
            raise ValueError(
                f"a block of {match['language']!r} is not named by the line before it: {match['before']!r}"
            )
        yield Block(match["text"], named[1])


def carry_out(block: Block, folder: Path) -> Path:
    """Write the file or run the commands in a folder; the folder in which the next block is carried out."""
    if block.file:
        target = folder / block.file
        assert target.exists(), f"{block.file}: the guide changes files of the skeleton, and this is none"
        target.write_text(block.text, "utf-8")
        return folder
    enter, leave = console.Command(f"cd '{folder}'", ""), console.Command("pwd", "...")
    commands = [enter, *console.parse(block.text), leave]
    printed = console.run(commands)
    for command, output in zip(commands, printed, strict=True):
        assert command.matches(output), f"$ {command.line}\nexpected:\n{command.expected}\n\nprinted:\n{output}"
    return Path(printed[-1].strip())


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The author's folder, and an environment of their own in which mlharness and pytest are there already."""
    home = tmp_path / "venv"
    venv.create(home)
    python = home / "bin" / "python"
    (site,) = home.glob("lib/python*/site-packages")
    # What these tests run with, pip and editable installs too; what the guide installs goes to the new environment.
    (site / "parent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", "utf-8")
    mlh = home / "bin" / "mlh"
    mlh.write_text(_MLH.format(python=python), "utf-8")
    mlh.chmod(mlh.stat().st_mode | stat.S_IXUSR)
    for kind in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"MLH_{kind}_DIR", str(tmp_path / kind.lower()))
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_the_guide_works_as_it_is_written(author: Path) -> None:
    found = list(blocks(GUIDE.read_text("utf-8")))
    assert sum(bool(block.file) for block in found) >= 5
    folder = author
    for block in found:
        folder = carry_out(block, folder)
    assert folder == author / "mlharness-mine"


def test_every_block_of_the_guide_is_seen() -> None:
    page = GUIDE.read_text("utf-8")
    assert len(list(blocks(page))) == page.count("```") / 2


def test_an_unnamed_block_is_refused() -> None:
    with pytest.raises(ValueError, match="not named"):
        list(blocks("Some text.\n\n```python\nx = 1\n```\n"))


def test_links_of_the_guide_resolve() -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)", GUIDE.read_text("utf-8"))
    assert targets
    assert [target for target in targets if not (GUIDE.parent / target).exists()] == []
