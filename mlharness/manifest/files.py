"""From the way a manifest names a file to a local file, through the sources that plugins provide."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from mlharness.errors import PluginError, UserError
from mlharness.providers import SourceProvider
from mlharness.registrars import Catalog

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CHUNK = 1 << 20


def resolve(
    source: str,
    base: Path,
    sha256: str | None,
    catalog: Catalog,
    fetch: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Path | None:
    """The local file that a manifest means.

    Args:
        source: a URI, or a path, relative to ``base`` unless it is absolute.
        base: the manifest's folder.
        sha256: the checksum that the manifest gives; what is returned has it.
        catalog: holds the sources.
        fetch: bring a file that is not here; only a runner does that.
        advance: told bytes so far and bytes in all (0: unknown) while a file is fetched.

    Returns:
        The file; None when it has yet to be fetched and ``fetch`` is false.

    Raises:
        UserError: no source knows the scheme, a checksum is missing or differs, the file is missing and cannot be
            fetched, or fetching it failed.
    """
    uri = as_uri(source, base)
    provider = check_source(source, base, sha256, catalog)
    found = provider.locate(uri, sha256)
    if found is not None:
        return found
    if provider.fetch is None:
        looked = uri if _SCHEME.match(source) else base.absolute() / source
        raise UserError(f"there is no file {source} (looked for {looked})", "Check the path in the manifest.")
    return provider.fetch(uri, sha256, advance) if fetch else None


def check_source(source: str, base: Path, sha256: str | None, catalog: Catalog) -> SourceProvider:
    """The source that a file comes from, whether or not it is there. Raises UserError as :func:`resolve` does."""
    provider = find_source(source, as_uri(source, base), catalog)
    if provider.digest_required and sha256 is None:
        raise UserError(f"{source} has no sha256", f"Add the file's sha256: {provider.scheme}:// needs it.")
    return provider


def as_uri(source: str, base: Path) -> str:
    """The source itself when it is a URI; for a path, the ``file://`` URI of the path from ``base``."""
    if "\0" in source:
        raise UserError(f"{source!r} holds a NUL character", "Correct the path in the manifest.")
    return source if _SCHEME.match(source) else (base.absolute() / source).as_uri()


def find_source(source: str, uri: str, catalog: Catalog) -> SourceProvider:
    """The source of a URI's scheme. Raises UserError naming the thing as the manifest does."""
    match = _SCHEME.match(uri)
    assert match is not None, "as_uri gives a URI"
    scheme = match[1].lower()
    # A plugin may provide plain http; without one, the way out is not another name but another scheme.
    if scheme == "http" and "http" not in catalog.sources.names():
        raise UserError(
            f"{source}: files are not fetched over plain http://, which anyone on the way can change",
            "Use the https:// address.",
        )
    try:
        return catalog.sources.find(scheme).provider
    except PluginError as error:
        raise PluginError(f"{source}: {error.message}", error.remedy) from error


def digest(path: Path) -> str:
    """The sha256 of a file's bytes, 64 lower-case hexadecimal digits. Raises OSError when it cannot be read."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()


def verify(path: Path, sha256: str | None, source: str) -> Path:
    """The path, when its bytes have the checksum or none is asked for. Raises UserError naming both checksums."""
    if sha256 is None:
        return path
    try:
        found = digest(path)
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror}", f"Check {path} and its permissions.") from error
    if found != sha256:
        raise UserError(
            f"{source} has the wrong sha256: found {found}, expected {sha256}",
            f"Replace {path} by the right file, or correct sha256 in the manifest.",
        )
    return path
