"""Where files come from: inside an installed package (pkg), this machine (file), and the web (https, http)."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlharness import hookimpl
from mlharness.builtin import download
from mlharness.errors import UserError
from mlharness.manifest.files import verify
from mlharness.providers import SourceProvider
from mlharness.registrars import SourceRegistrar


def locate_in_package(uri: str, sha256: str | None) -> Path | None:
    """The file ``pkg://PACKAGE/PATH/INSIDE`` of an installed top-level package, which is not imported.

    Raises:
        UserError: the package is not installed, it has no such file, the path leaves it, or the checksum differs.
    """
    package, _, inside = uri.partition("://")[2].partition("/")
    path = PurePosixPath(inside)
    if not package.isidentifier() or not inside or ".." in path.parts or path.is_absolute():
        raise UserError(f"{uri} names no file of a package", "Write pkg://PACKAGE/PATH, without '..'.")
    folders = package_folders(package)
    if not folders:
        raise UserError(
            f"{uri}: the package {package} is not installed",
            f"Run: pip install {package.replace('_', '-')} (or the distribution that carries {package})",
        )
    found = next((folder / path for folder in folders if (folder / path).is_file()), None)
    if found is None:
        raise UserError(
            f"{uri}: the installed package {package} has no file {inside}",
            f"Check the path, or upgrade what carries {package}.",
        )
    return verify(found, sha256, uri)


def package_folders(package: str) -> list[Path]:
    """The folders of a top-level package; empty when it is not installed, or is a single module."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: something in sys.modules that carries no spec, as __main__
        return []
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []


def locate_on_disk(uri: str, sha256: str | None) -> Path | None:
    """The file ``file:///ABSOLUTE/PATH`` when it is there. Raises UserError for another machine or a wrong checksum."""
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise UserError(f"{uri} names no file of this machine", "Write file:///ABSOLUTE/PATH, or a path.")
    try:
        there = path.exists()
    except (OSError, ValueError) as error:  # a folder that may not be entered; a path that no file can have
        raise UserError(f"{uri} cannot be reached: {error}", "Check the path and its permissions.") from error
    if not there:
        return None
    # Some frameworks keep a model in a folder, which has no bytes to be hashed.
    if path.is_dir() and sha256 is not None:
        raise UserError(f"{uri} is a folder, and a folder has no sha256", "Name a file, or leave sha256 out.")
    return verify(path, sha256, uri)


@hookimpl
def mlh_register_sources(registrar: SourceRegistrar) -> None:
    registrar.source(SourceProvider("pkg", locate_in_package))
    registrar.source(SourceProvider("file", locate_on_disk))
    plainly = partial(download.fetch, allow_http=True)
    https = SourceProvider(
        "https", download.locate, download.fetch, digest_required=True, md5=True, fetch_over_http=plainly
    )
    registrar.source(https)
    registrar.source(replace(https, scheme="http", fetch=None))
