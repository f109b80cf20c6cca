"""What a model's files hold: the JSON of a symbol and a file of parameters, apart or in one file of the zoo."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlharness.errors import UserError

SYMBOL, PARAMETERS = "model-symbol.json", "model-0000.params"
"""The members of a zoo file, an uncompressed zip: one file has one checksum, and a folder none."""
_PARAMETERS_MAGIC = (0x112).to_bytes(8, "little")
_ZIP_MAGIC = b"PK\x03\x04"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REMEDY = "Name NAME-symbol.json and NAME-0000.params under model.files, or one mxnet:// source."


@dataclass(frozen=True)
class Saved:
    """A network as it is kept: ``origin`` names the symbol's file in messages."""

    symbol: str
    parameters: bytes
    origin: str


def read_files(model: str, files: Sequence[Path]) -> Saved:
    """The network in a manifest's files, in any order. Raises UserError when they are not one network's."""
    if not files:
        raise UserError(f"{model}: the manifest names no model file", _REMEDY)
    kinds = [(kind_of(path), path) for path in files]
    names = ", ".join(path.name for path in files)
    if [kind for kind, _ in kinds] == ["zoo"]:
        return unpack(files[0])
    by_kind = dict(kinds)
    if len(files) != 2 or set(by_kind) != {"symbol", "parameters"}:
        raise UserError(f"{model}: MXNet needs a symbol and its parameters, and the manifest names {names}", _REMEDY)
    symbol = by_kind["symbol"]
    return Saved(as_text(read(symbol), symbol.name), read(by_kind["parameters"]), symbol.name)


def kind_of(path: Path) -> str:
    """``symbol``, ``parameters`` or ``zoo``, by the first bytes. Raises UserError for anything else."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Check the file and its permissions.") from error
    if start.startswith(_PARAMETERS_MAGIC):
        return "parameters"
    if start.startswith(_ZIP_MAGIC) and path.suffix == ".mxnet":
        return "zoo"
    if start.lstrip().startswith(b"{"):
        return "symbol"
    raise UserError(f"{path.name} is no file of MXNet: it is another framework's, or damaged", _REMEDY)


def read(path: Path) -> bytes:
    """A file's bytes. Raises UserError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "Check the file and its permissions.") from error


def as_text(content: bytes, file: str) -> str:
    """The text of a symbol. Raises UserError when it is none."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is no text in UTF-8: {error.reason}", "Write it anew, and complete.") from error


def pack(path: Path, symbol: str, parameters: bytes) -> None:
    """Write a zoo file. Equal networks give equal bytes, so that a manifest can state the checksum."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in ((SYMBOL, symbol.encode()), (PARAMETERS, parameters)):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)


def unpack(path: Path) -> Saved:
    """Read a zoo file. Raises UserError when it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            symbol, parameters = archive.read(SYMBOL), archive.read(PARAMETERS)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, OSError) as error:
        raise UserError(f"{path} is damaged: {error}", f"Remove {path}, and run the command again.") from error
    return Saved(as_text(symbol, path.name), parameters, path.name)
