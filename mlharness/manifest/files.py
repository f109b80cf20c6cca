"""From the way a manifest names a file to a local file, through the sources that plugins provide."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from mlharness.errors import PluginError, UserError
from mlharness.manifest.documents import MD5
from mlharness.providers import Option, SourceProvider
from mlharness.registrars import Catalog

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CHUNK = 1 << 20


def resolve(
    source: str,
    base: Path,
    checksum: str | None,
    catalog: Catalog,
    fetch: bool = False,
    advance: Callable[[int, int], None] = lambda done, total: None,
    allow_http: bool = False,
) -> Path | None:
    """The local file that a manifest means.

    Args:
        source: a URI, or a path, relative to ``base`` unless it is absolute.
        base: the manifest's folder.
        checksum: what the manifest gives, a sha256, or ``md5:`` and an md5; what is returned has it.
        catalog: holds the sources.
        fetch: bring a file that is not here; only a runner does that.
        advance: told bytes so far and bytes in all (0: unknown) while a file is fetched.
        allow_http: the user allows plain http.

    Returns:
        The file; None when it has yet to be fetched and ``fetch`` is false.

    Raises:
        UserError: no source knows the scheme, plain http is not allowed, a checksum is missing or differs, the file is
            missing and cannot be fetched, or fetching it failed.
    """
    uri = as_uri(source, base)
    provider = check_source(source, base, checksum, catalog, allow_http)
    fetch_it = (provider.fetch_over_http if allow_http else None) or provider.fetch
    # A source that knows nothing of md5 is asked for the file as it is, which is then held against it here.
    told = checksum if provider.md5 or not is_md5(checksum) else None
    found = provider.locate(uri, told)
    if found is None:
        if fetch_it is None:
            looked = uri if is_uri(source) else base.absolute() / source
            raise UserError(f"there is no file {source} (looked for {looked})", "Check the path in the manifest.")
        if not fetch:
            return None
        found = fetch_it(uri, told, advance)
    return found if told == checksum else verify(found, checksum, source)


def locate_options(
    given: Mapping[str, Any], declared: Sequence[Option], base: Path, catalog: Catalog
) -> dict[str, Any]:
    """Resolved options, with the local file in the place of each value of the type ``file``.

    Raises:
        UserError: a file that is not there, or that would have to be fetched.
    """
    files = [option.name for option in declared if option.type == "file" and given[option.name] is not None]
    return {**given, **{name: locate_here(given[name], base, catalog) for name in files}}


def locate_here(source: str, base: Path, catalog: Catalog) -> Path:
    """A file that needs no fetching. Raises UserError when it is not there, or when its source would fetch it."""
    if find_source(source, as_uri(source, base), catalog).fetch is not None:
        raise UserError(
            f"{source} would have to be fetched, and an option has no checksum", "Give a path, file:// or pkg://."
        )
    found = resolve(source, base, None, catalog)
    assert found is not None, "a source without fetch finds its file or raises"
    return found


def check_source(
    source: str, base: Path, checksum: str | None, catalog: Catalog, allow_http: bool = False
) -> SourceProvider:
    """The source that a file comes from, whether or not it is there. Raises UserError as :func:`resolve` does."""
    provider = find_source(source, as_uri(source, base), catalog)
    if provider.fetch is None and provider.fetch_over_http is not None and not allow_http:
        raise UserError(
            f"{source}: files are not fetched over plain {provider.scheme}://, which anyone on the way can change",
            "Use the https:// address, or allow it with --allow-http.",
        )
    if provider.digest_required and checksum is None:
        raise UserError(f"{source} has no sha256", f"Add the file's sha256: {provider.scheme}:// needs it.")
    if provider.digest_required and is_md5(checksum) and not provider.md5:
        raise UserError(f"{source} has an md5 only", f"Add the file's sha256: {provider.scheme}:// needs it.")
    return provider


def is_uri(source: str) -> bool:
    """True for a URI, false for a path."""
    return _SCHEME.match(source) is not None


def as_uri(source: str, base: Path) -> str:
    """The source itself when it is a URI; for a path, the ``file://`` URI of the path from ``base``."""
    if "\0" in source:
        raise UserError(f"{source!r} holds a NUL character", "Correct the path in the manifest.")
    return source if is_uri(source) else (base.absolute() / source).as_uri()


def find_source(source: str, uri: str, catalog: Catalog) -> SourceProvider:
    """The source of a URI's scheme. Raises UserError naming the thing as the manifest does."""
    match = _SCHEME.match(uri)
    assert match is not None, "as_uri gives a URI"
    scheme = match[1].lower()
    try:
        return catalog.sources.find(scheme).provider
    except PluginError as error:
        raise PluginError(f"{source}: {error.message}", error.remedy) from error


def is_plain(source: str) -> bool:
    """True for what comes over plain http."""
    return source[:7].lower() == "http://"


def is_md5(checksum: str | None) -> bool:
    """True for ``md5:`` and an md5, false for a sha256 and for none."""
    return checksum is not None and checksum.startswith(MD5)


def algorithm_of(checksum: str) -> tuple[str, str]:
    """The name of a checksum's algorithm, as hashlib knows it, and its digits."""
    return ("md5", checksum.removeprefix(MD5)) if is_md5(checksum) else ("sha256", checksum)


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file's bytes, in lower-case hexadecimal digits. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return digest_of(file, algorithm)


def digest_of(file: IO[bytes], algorithm: str = "sha256") -> str:
    """The hash of what is left of a stream, in lower-case hexadecimal digits."""
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := file.read(_CHUNK):
        hashed.update(chunk)
    return hashed.hexdigest()


def verify(path: Path, checksum: str | None, source: str) -> Path:
    """The path, when its bytes have the checksum or none is asked for. Raises UserError naming both checksums."""
    if checksum is None:
        return path
    algorithm, expected = algorithm_of(checksum)
    try:
        found = digest(path, algorithm)
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror}", f"Check {path} and its permissions.") from error
    if found != expected:
        raise UserError(
            f"{source} has the wrong {algorithm}: found {found}, expected {expected}",
            f"Replace {path} by the right file, or correct {algorithm} in the manifest.",
        )
    return path
