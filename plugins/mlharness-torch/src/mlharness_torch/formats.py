"""Which kind of file a model is, told from its bytes. Nothing of it is loaded, and PyTorch is not imported."""

from __future__ import annotations

import zipfile
from enum import Enum
from pathlib import Path

from mlharness.errors import UserError

_KNOWN = "TorchScript (.pt), torch.export (.pt2), .safetensors, or a state dict (.pt, .pth)"
_OTHERS = {".onnx": "onnxruntime", ".pb": "tensorflow", ".keras": "tensorflow", ".params": "mxnet"}


class Format(Enum):
    """What a file holds."""

    TORCHSCRIPT = "TorchScript"
    EXPORTED = "torch.export"
    CHECKPOINT = "a pickle of tensors"
    SAFETENSORS = "safetensors"


def recognise(path: Path) -> Format:
    """The format of a file. Raises UserError when it cannot be read, or is none of them."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
        size = path.stat().st_size
        if head.startswith(b"PK"):
            return _archive(path)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}", f"Check {path}.") from error
    if head[8:] == b"{":
        return _safetensors(path, int.from_bytes(head[:8], "little"), size)
    if head.startswith(b"\x80"):  # a pickle, as torch.save wrote it before version 1.6
        return Format.CHECKPOINT
    raise UserError(f"{path.name} is no model that PyTorch can load", _remedy(path))


def _archive(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise UserError(f"{path.name} is damaged or cut off: {error}", "Save or download it again.") from error
    # What torch writes lies in one folder, whose name is free; torch.export before 2.8 used none.
    inside = {name.partition("/")[2] for name in names} | set(names)
    if "archive_format" in inside or "serialized_exported_program.json" in inside:
        return Format.EXPORTED
    if "constants.pkl" in inside:
        return Format.TORCHSCRIPT
    if "data.pkl" in inside:
        return Format.CHECKPOINT
    raise UserError(f"{path.name} is an archive, but none of PyTorch's", _remedy(path))


def _safetensors(path: Path, header: int, size: int) -> Format:
    if header + 8 > size:
        raise UserError(f"{path.name} is damaged or cut off: its header alone is longer", "Save or download it again.")
    return Format.SAFETENSORS


def _remedy(path: Path) -> str:
    other = _OTHERS.get(path.suffix)
    return f"Run it with framework {other}." if other else f"Give {_KNOWN}."
