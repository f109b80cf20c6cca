"""A folder of wheels that pip installs from without an index: what is installed here, packed again, and small fakes."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.fakes import FAKES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
ANY = "py3-none-any"


def write_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, bytes], requires: Sequence[str] = (), entries: str = ""
) -> Path:
    """A wheel with these files; ``entries`` is the text of ``entry_points.txt``."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    all_files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {ANY}\n".encode(),
        f"{info}/entry_points.txt": entries.encode(),
    }
    return _zip(folder / f"{stem}-{ANY}.whl", all_files, info)


def write_engine(folder: Path, version: str, name: str = "fake-engine") -> Path:
    """A version of the framework of ``plugins_fake/engine``, or a variant of it."""
    return write_wheel(folder, name, version, {"fake_engine.py": f'__version__ = "{version}"\n'.encode()})


def write_fake(folder: Path, name: str) -> Path:
    """The wheel of a folder of ``plugins_fake``."""
    return _of_project(folder, FAKES / name, {path.name: path.read_bytes() for path in (FAKES / name).glob("*.py")})


def write_kernel(folder: Path) -> Path:
    """The kernel's wheel, from the checkout, as its build puts it together."""
    files = {str(path.relative_to(ROOT)): path.read_bytes() for path in _of_git(ROOT / "mlharness")}
    for data in ("schemas", "manifests"):
        found = {f"mlharness/_data/{path.relative_to(ROOT)}": path.read_bytes() for path in _of_git(ROOT / data)}
        files |= found
    return _of_project(folder, ROOT, files)


def pack_requirements(folder: Path, *names: str) -> None:
    """A wheel for everything that these distributions need to run, as it is installed here, and for themselves."""
    done: set[str] = set()
    waiting = list(names)
    while waiting:
        distribution = metadata.distribution(waiting.pop())
        if distribution.name in done:
            continue
        done.add(distribution.name)
        waiting += needs_of(distribution.requires or ())
        if distribution.name != "mlharness":
            pack(folder, distribution)


def needs_of(requires: Sequence[str]) -> list[str]:
    """The names that apply here without extras."""
    found = [Requirement(text) for text in requires]
    return [one.name for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def pack(folder: Path, distribution: metadata.Distribution) -> None:
    """The wheel of an installed distribution; its scripts are made again from its entry points."""
    files = {}
    for path in distribution.files or ():
        if ".." not in path.parts and path.suffix != ".pyc" and path.name not in ("RECORD", "INSTALLER", "REQUESTED"):
            files[str(path)] = Path(str(path.locate())).read_bytes()
    wheel = next(text for name, text in files.items() if name.endswith(".dist-info/WHEEL")).decode()
    tags = [line.removeprefix("Tag: ") for line in wheel.splitlines() if line.startswith("Tag: ")]
    info = next(name for name in files if name.endswith(".dist-info/WHEEL")).split("/")[0]
    _zip(folder / f"{info.removesuffix('.dist-info')}-{tags[0]}.whl", files, info)


def _of_project(folder: Path, source: Path, files: Mapping[str, bytes]) -> Path:
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]
    entries = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["mlharness"].items())
    scripts = "".join(f"{key} = {value}\n" for key, value in project.get("scripts", {}).items())
    text = f"[mlharness]\n{entries}[console_scripts]\n{scripts}"
    return write_wheel(folder, project["name"], project["version"], files, project.get("dependencies", ()), text)


def _of_git(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]


def _zip(path: Path, files: Mapping[str, bytes], info: str) -> Path:
    # stored, not compressed: written and read once
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return path
