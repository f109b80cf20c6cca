"""Files of ``docs/examples`` inside the pages, so that what is shown is what the tests execute."""

from __future__ import annotations

from pathlib import Path

from generators.markdown import block

EXAMPLES = Path(__file__).parents[1] / "examples"
_LANGUAGES = {".py": "py", ".yaml": "yaml", ".toml": "toml", ".csv": "text"}


def show(name: str) -> str:
    """One file, as a block in its language."""
    path = EXAMPLES / name
    return block(_LANGUAGES[path.suffix], path.read_text("utf-8"))
