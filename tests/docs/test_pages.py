"""What the pages must hold: hooks, commands and links, and a README that one can read in a few minutes."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from mlharness import hookspecs
from mlharness.cli.main import COMMANDS
from mlharness.manifest.reading import check_manifest
from mlharness.sweeping.document import check_sweep, is_sweep
from tests.docs.conftest import DOCS, ROOT, pages

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def headings(page: Path) -> list[str]:
    """The headings of a page, without their marks."""
    return _HEADING.findall(_FENCED.sub("", page.read_text("utf-8")))


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def hook_signatures() -> list[str]:
    """Each hook as it stands in the source: ``name(arguments) -> type``."""
    tree = ast.parse(Path(hookspecs.__file__).read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or node)}" for node in functions]


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_readme_has_both_commands_in_blocks_of_their_own() -> None:
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)\n```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.M)
    install = "pip install . ./plugins/mlharness-onnxruntime ./plugins/mlharness-vision && mlh bench efficientnet-lite0"
    assert install in blocks
    assert "pip install nox && nox" in blocks


def test_there_are_hooks() -> None:
    assert len(hook_signatures()) >= 10


@pytest.mark.parametrize("signature", hook_signatures())
def test_hook_has_heading_with_its_signature(signature: str) -> None:
    assert headings(DOCS / "plugins.md").count(f"`{signature}`") == 1


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_command_has_section(command: str) -> None:
    assert f"`mlh {command}`" in headings(DOCS / "commands.md")


@pytest.mark.parametrize("group", ["bundle", "datasets", "env", "manifest", "models", "runs", "trust"])
def test_commands_of_group_are_described(group: str) -> None:
    found = importlib.import_module(f"mlharness.cli.{group}").command
    text = (DOCS / "commands.md").read_text("utf-8")
    assert [name for name in found.commands if f"`mlh {group} {name}" not in text] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    for target in _LINK.findall(_FENCED.sub("", page.read_text("utf-8"))):
        if target.startswith(("https://", "http://")):
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name}: {target}"
        if fragment:
            assert fragment in [anchor(heading) for heading in headings(linked)], f"{page.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    linked = {target.partition("#")[0] for target in _LINK.findall((DOCS / "index.md").read_text("utf-8"))}
    assert {page.name for page in DOCS.glob("*.md")} - {"index.md"} <= linked


def test_pictures_load_nothing() -> None:
    for picture in (DOCS / "images").glob("*.svg"):
        assert "url(http" not in picture.read_text("utf-8"), picture.name


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_manifests_in_pages_are_right(page: Path, tmp_path: Path) -> None:
    for number, text in enumerate(re.findall(r"^```yaml\n(kind:.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.M)):
        manifest = tmp_path / f"{number}.yaml"
        manifest.write_text(text, "utf-8")
        assert (check_sweep if is_sweep(manifest) else check_manifest)(manifest) == []
