"""The folder that CTranslate2 wants, from the files that a manifest lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mlharness.errors import UserError
from mlharness.paths import cache_dir
from mlharness.providers import Model

NEEDED = "model.bin"
KNOWN = (NEEDED, "config.json", "vocabulary.json", "vocabulary.txt", "tokenizer.json", "preprocessor_config.json")
_REMEDY = "List model.bin, config.json and vocabulary.json (or .txt) under model.files."


@contextmanager
def folder_of(model: Model) -> Iterator[Path]:
    """A folder with the model's files under the names that CTranslate2 looks for.

    That is the folder itself when the manifest names one, or when the files lie in one under those names. Files from a
    cache have other names: then, for as long as the context lasts, a folder has them under the right ones.

    Raises:
        UserError: the manifest names no file, one is not there, or it is unclear what one of them is.
    """
    if not model.files:
        raise UserError(f"{model.name}: the manifest names no model file", _REMEDY)
    missing = [path for path in model.files if not path.exists()]
    if missing:
        raise UserError(f"{model.name}: there is no file {missing[0]}", "Check the path in the manifest.")
    first = model.files[0]
    if first.is_dir() and len(model.files) == 1:
        yield first
        return
    if len({path.parent for path in model.files}) == 1 and all(path.name in KNOWN for path in model.files):
        yield first.parent
        return
    cache = cache_dir() / "ctranslate2"
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as made:
        for name, path in named(model.name, model.files).items():
            place(path, Path(made) / name)
        yield Path(made)


def named(model: str, files: Sequence[Path]) -> dict[str, Path]:
    """The files by the names that CTranslate2 looks for. Raises UserError when two would have one name."""
    found: dict[str, Path] = {}
    for path in files:
        name = path.name if path.name in KNOWN else kind(path)
        if name in found:
            raise UserError(f"{model}: {path.name} and {found[name].name} both seem to be {name}", _REMEDY)
        found[name] = path
    return found


def kind(path: Path) -> str:
    """What a file is, by its bytes: tokens as a list in JSON or in lines, a mapping in JSON, or else weights."""
    with path.open("rb") as file:
        head = file.read(4096)
    if b"\0" in head:
        return NEEDED
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return "vocabulary.txt"
    if isinstance(document, list):
        return "vocabulary.json"
    return "tokenizer.json" if "added_tokens" in document else "config.json"


def place(file: Path, target: Path) -> None:
    """Let a file appear at another place too: by a link to it, or by a copy where that cannot be."""
    try:
        target.symlink_to(file.resolve())
    except OSError:
        shutil.copyfile(file, target)
