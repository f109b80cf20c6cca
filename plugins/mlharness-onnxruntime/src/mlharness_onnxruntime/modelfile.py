"""The files of a model: an ``.onnx`` file, external data beside it, and what is wrong with a file that is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mlharness.errors import UserError
from mlharness.paths import cache_dir
from mlharness.providers import Model
from mlharness_onnxruntime.graph import read_graph

_HEAD = 512  # bytes that tell what a file is
_SIGNATURES = (
    (0, b"version https://git-lfs", "it is a Git LFS pointer, not the file itself", "Fetch the file: git lfs pull."),
    (0, b"PK\x03\x04", "it is a zip archive, as PyTorch (.pt) and Keras (.keras) save", ""),
    (0, b"\x80\x02", "it is a pickle, as older PyTorch saves", ""),
    (0, b"\x89HDF", "it is an HDF5 file, as Keras (.h5) saves", ""),
    (0, b"\x1f\x8b", "it is compressed by gzip", "Name the file in it: member, under model.files."),
    (4, b"TFL3", "it is a TensorFlow Lite model", ""),
)
_NOISE = re.compile(r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?(/\S+\.cc:\d+ .*&\) )?")  # its number, its C++ function
_OTHER_FRAMEWORK = "Name the .onnx file under model.files, or the framework that this file is for."
_REMEDIES = (
    ("Unsupported model IR", "Upgrade onnxruntime, or export the model for an older version."),
    ("official support for domain", "Upgrade onnxruntime, or export for an older opset."),
    ("No Op registered", "Upgrade onnxruntime, or export the model without operators that it lacks."),
    ("is not a registered", "Upgrade onnxruntime, or export the model without operators that it lacks."),
    ("install TensorRT", "Install the TensorRT that this onnxruntime-gpu is built for."),
    ("EP option", "Correct provider_options."),
    ("provider option", "Correct provider_options."),
)


@contextmanager
def openable(model: Model) -> Iterator[Path]:
    """The ``.onnx`` file, with its external data where it names them.

    Files from a cache have other names than those that the model asks for; then, for as long as the context lasts, a
    folder has them under the right ones. (A session that was opened keeps its data when the folder goes.)

    Raises:
        UserError: the manifest names no file, or it is unclear which file holds which data.
    """
    if not model.files:
        raise UserError(f"{model.name}: the manifest names no model file", "Add an .onnx file under model.files.")
    path, *data = model.files
    wanted = pair(external_locations(path), data, path) if data else {}
    if all((path.parent / name).exists() and (path.parent / name).samefile(file) for name, file in wanted.items()):
        yield path
        return
    cache = cache_dir() / "onnxruntime"
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as folder:
        for name, file in {path.name: path, **wanted}.items():
            place(file, Path(folder) / name)
        yield Path(folder) / path.name


def external_locations(path: Path) -> list[str]:
    """The files that a model keeps its weights in, in the order of their first mention; none if it cannot be read."""
    try:
        found = [tensor.location for tensor in read_graph(path).tensors() if tensor.location]
    except (OSError, ValueError):  # ONNX Runtime will say what is wrong with it
        return []
    return list(dict.fromkeys(found))


def pair(locations: Sequence[str], data: Sequence[Path], model: Path) -> Mapping[str, Path]:
    """Which file holds what the model calls so: by name, and a single one left by elimination."""
    by_name = {file.name: file for file in data}
    found = {name: by_name[PurePosixPath(name).name] for name in locations if PurePosixPath(name).name in by_name}
    missing = [name for name in locations if name not in found]
    left = [file for file in data if file not in found.values()]
    if len(missing) == len(left) == 1:
        found[missing[0]] = left[0]
    elif missing and not all((model.parent / name).is_file() for name in missing):
        raise UserError(
            f"{model.name} keeps weights in {', '.join(locations)}, and it is unclear which of its files is which",
            "Give the files the names that the model asks for, in one folder.",
        )
    for name in found:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"{model.name} keeps weights in {name}, outside its folder", "Export the model again.")
    return found


def place(file: Path, target: Path) -> None:
    """Let a file appear at another place too: by a second name for it, or by a copy where that cannot be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # No symbolic link: ONNX Runtime may follow it, and find that it leads out of the model's folder.
        target.hardlink_to(file.resolve())
    except OSError:
        shutil.copyfile(file, target)


def refusal(path: Path, error: Exception) -> UserError:
    """What a user reads when ONNX Runtime does not take a file."""
    said = " ".join(_NOISE.sub("", str(error)).split())
    # The file itself is asked first: what ONNX Runtime says of it changes with its version.
    what, remedy = fault(path) or (said, next((remedy for part, remedy in _REMEDIES if part in said), ""))
    return UserError(
        f"ONNX Runtime cannot load {path.name}: {what}",
        remedy or "Check that it is an .onnx file, complete, and that the options suit it.",
    )


def fault(path: Path) -> tuple[str, str] | None:
    """What is plainly wrong with a file, and a remedy; None when it looks like an ONNX model."""
    if not path.is_file():
        return "there is no such file", "Check the path in the manifest."
    missing = [name for name in external_locations(path) if not (path.parent / name).is_file()]
    if missing:
        return (
            f"its weights are in {', '.join(missing)}, which is not there",
            "List the file with the external data after the .onnx file under model.files.",
        )
    return kind(path)


def kind(path: Path) -> tuple[str, str] | None:
    """What a file is that holds no ONNX graph, and a remedy; None when it does."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "it is empty", "Fetch or export it again."
    for at, signature, what, remedy in _SIGNATURES:
        if head[at:].startswith(signature):
            return what, remedy or _OTHER_FRAMEWORK
    if _is_text(head):
        return "it is text", _OTHER_FRAMEWORK
    try:
        read_graph(path)
    except ValueError as error:
        if str(error) == "no graph":
            return "it holds no ONNX graph (a TensorFlow .pb holds another kind)", _OTHER_FRAMEWORK
        return "it is damaged or cut off", "Fetch or export it again."
    return None


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r" for byte in head) and head.isascii()
