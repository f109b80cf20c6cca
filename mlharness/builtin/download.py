"""Files from the web, by checksum: fetched once, resumed where a download broke off, verified, kept in the cache.

The cache holds, under ``files/``, each file under its sha256; beside it ``.ok`` says with what size and time of change
it was verified, ``.part`` is what a broken download left, and ``.lock`` keeps two runs from fetching one file twice.
A file that was asked for by its md5 lies under its sha256, too, which ``md5-...`` notes for the md5 and the address: a
file that is forged to have the same md5 is taken for it neither later nor from elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from mlharness.errors import UserError
from mlharness.manifest.files import algorithm_of, digest, is_md5
from mlharness.paths import cache_dir

if TYPE_CHECKING:
    import requests

Advance = Callable[[int, int], None]

_CHUNK = 1 << 16  # the most that is lost when a download breaks off
_TIMEOUT_S = (10, 60)  # to connect, and without a byte
_DIGITS = {"sha256": re.compile(r"[0-9a-f]{64}\Z"), "md5": re.compile(r"[0-9a-f]{32}\Z")}


def locate(uri: str, checksum: str | None) -> Path | None:
    """The file when it is in the cache; its bytes are hashed only when they have changed since they were verified."""
    place = cached_path(uri, checksum)
    try:
        path = _read_reference(place) if is_md5(checksum) else place
        if path is None or not path.is_file():
            return None
        if _read_mark(path) != _stamp(path):
            if digest(path) != path.name:
                return None
            _write_mark(path)
    except OSError as error:
        raise _unusable_cache(place, error) from error
    return path


def fetch(uri: str, checksum: str | None, advance: Advance, allow_http: bool = False) -> Path:
    """Bring the file into the cache.

    Args:
        uri: an ``https://`` address; redirects to anything else are refused, as is any other address.
        checksum: what the file's bytes must have, a sha256, or ``md5:`` and an md5.
        advance: told bytes so far and bytes in all (0: unknown).
        allow_http: ``http://`` will do, too.

    Raises:
        UserError: the server cannot be reached, answers with an error, breaks off (what has come is kept, and the next
            call goes on from there), or sends a file with another checksum (which is deleted).
    """
    place = cached_path(uri, checksum)
    assert checksum is not None, "without one there is no place for the file"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{place}.lock"):
            # Another process may have brought it while this one waited.
            found = locate(uri, checksum)
            if found is None:
                make = partial(ResumingDownloader, advance=advance, allow_http=allow_http)
                found = _bring(uri, checksum, place, make)
                _write_mark(found)
    except OSError as error:
        raise _unusable_cache(place, error) from error
    return found


def cached_path(uri: str, checksum: str | None) -> Path:
    """Where a file of that checksum is kept; of an md5, what notes where. Raises UserError for what is no checksum."""
    algorithm, digits = algorithm_of(checksum or "")
    if not _DIGITS[algorithm].match(digits):
        length = {"sha256": 64, "md5": 32}[algorithm]
        raise UserError(
            f"{uri} has no usable {algorithm}: {digits if checksum else checksum!r}",
            f"Give {length} lower-case hexadecimal digits.",
        )
    if algorithm == "md5":
        digits = f"md5-{digits}-{hashlib.sha256(uri.encode()).hexdigest()[:16]}"
    return cache_dir() / "files" / digits


def _bring(uri: str, checksum: str, place: Path, make: MakeDownloader) -> Path:
    """Download a file to where it is kept; of an md5, note there what its sha256 is."""
    if not is_md5(checksum):
        _retrieve(uri, checksum, place, make)
        return place
    fetched = place.with_name(f"{place.name}.file")
    _retrieve(uri, checksum, fetched, make)
    path = place.with_name(digest(fetched))
    fetched.replace(path)
    temporary = place.with_name(f"{place.name}.{os.getpid()}")
    temporary.write_text(path.name, "utf-8")
    temporary.replace(place)
    return path


def _read_reference(place: Path) -> Path | None:
    """The file that has the sha256 that was noted for an md5; None when none was."""
    try:
        noted = place.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return place.with_name(noted) if _DIGITS["sha256"].match(noted) else None


def _retrieve(uri: str, checksum: str, path: Path, make: MakeDownloader) -> None:
    """Download to a temporary file, verify, rename. Raises UserError for all that can go wrong on the way."""
    import pooch
    import requests

    # pooch announces each download on standard error; the runner reports progress itself.
    pooch.get_logger().setLevel("WARNING")
    algorithm, digits = algorithm_of(checksum)
    downloader = make(path.with_name(f"{path.name}.part"), algorithm)
    try:
        pooch.retrieve(uri, f"{algorithm}:{digits}", path.name, path.parent, downloader=downloader)
    except requests.HTTPError as error:
        said = f"{error.response.status_code} {error.response.reason}" if error.response is not None else str(error)
        raise UserError(f"{uri}: the server answers {said}", "Check the address in the manifest.") from error
    except requests.exceptions.InvalidSchema as error:
        raise UserError(
            f"{uri} leads to an address that is not https",
            "Use the file's final address, or allow plain http with --allow-http.",
        ) from error
    except requests.RequestException as error:
        raise UserError(f"{uri}: {_reason(error, downloader)}", _again(downloader)) from error
    except ValueError as error:  # what pooch raises for a wrong checksum, after deleting the file
        raise UserError(
            f"{uri} has the wrong {algorithm}: found {downloader.found}, expected {digits}; the download was deleted",
            f"Correct {algorithm} in the manifest if the file was meant to change; otherwise do not use it.",
        ) from error


class ResumingDownloader:
    """Downloads for pooch, going on where an earlier attempt broke off.

    Args:
        part: holds what has come so far; it outlives a failed attempt.
        algorithm: of :attr:`found`, as hashlib names it.
        advance: told bytes so far and bytes in all (0: unknown).
        allow_http: plain http will do.
    """

    def __init__(self, part: Path, algorithm: str, advance: Advance, allow_http: bool = False) -> None:
        self.part = part
        self.found = ""
        """The hash of what came."""
        self._algorithm, self._advance, self._allow_http = algorithm, advance, allow_http

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download ``url`` to ``output_file``. Raises requests' exceptions."""
        with open_session(self._allow_http) as session:
            hashed = self._receive(session, url)
        self.found = hashed
        self.part.replace(output_file)

    def _receive(self, session: requests.Session, url: str) -> str:
        """Complete the part, and return its hash."""
        hashed, done = _hash_part(self.part, self._algorithm)
        with self._request(session, url, done) as response:
            response.raise_for_status()
            if response.status_code != 206:
                # The server sends the whole file, whatever was asked for.
                hashed, done = hashlib.new(self._algorithm, usedforsecurity=False), 0
            length = response.headers.get("Content-Length", "")
            total = done + int(length) if length.isdecimal() else 0
            with self.part.open("ab" if done else "wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    hashed.update(chunk)
                    done += len(chunk)
                    self._advance(done, total)
        return str(hashed.hexdigest())

    def _request(self, session: requests.Session, url: str, done: int) -> requests.Response:
        # A compressed answer could not be resumed, and has another length than the file.
        headers = {"Accept-Encoding": "identity"}
        if not done:
            return session.get(url, headers=headers, timeout=_TIMEOUT_S, stream=True)
        resumed = session.get(url, headers={**headers, "Range": f"bytes={done}-"}, timeout=_TIMEOUT_S, stream=True)
        fits = resumed.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        if resumed.status_code != 416 and (resumed.status_code != 206 or fits):
            return resumed
        # 416: the part goes beyond the file's end. Or the answer is another piece than was asked for.
        resumed.close()
        self.part.unlink(missing_ok=True)
        return session.get(url, headers=headers, timeout=_TIMEOUT_S, stream=True)


MakeDownloader = Callable[[Path, str], ResumingDownloader]


def open_session(allow_http: bool = False) -> requests.Session:
    """A session that speaks https only, unless plain http is allowed, and asks a busy server again."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    session.adapters.clear()
    busy = Retry(3, connect=0, read=0, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
    for scheme in ("https://", "http://") if allow_http else ("https://",):
        session.mount(scheme, HTTPAdapter(max_retries=busy))
    return session


def _hash_part(part: Path, algorithm: str) -> tuple[Any, int]:
    """A running hash over what an earlier attempt left, and how many bytes that is."""
    hashed, done = hashlib.new(algorithm, usedforsecurity=False), 0
    if part.exists():
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
                done += len(chunk)
    return hashed, done


def _reason(error: Exception, downloader: ResumingDownloader) -> str:
    """What went wrong, without the layers of the libraries below."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ReadTimeout):
        return "the server does not answer"
    if downloader.part.exists():
        return f"the download broke off after {downloader.part.stat().st_size} bytes"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    return f"{type(error).__name__}: {error}"


def _again(downloader: ResumingDownloader) -> str:
    again = " It goes on where it broke off." if downloader.part.exists() else ""
    return f"Check the address and the network, and run the command again.{again}"


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _read_mark(path: Path) -> object:
    try:
        return json.loads(_mark(path).read_bytes())
    except (OSError, ValueError):  # missing or damaged: the file is hashed again
        return None


def _write_mark(path: Path) -> None:
    """Note that the file was verified as it is; without the note it would only be hashed again."""
    temporary = path.with_name(f"{path.name}.ok.{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that others share may be read-only
        temporary.write_text(json.dumps(_stamp(path)), "utf-8")
        temporary.replace(_mark(path))


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.ok")


def _unusable_cache(path: Path, error: OSError) -> UserError:
    return UserError(
        f"the cache {path.parent} cannot be used: {error.strerror or error}",
        "Free space there, check its permissions, or set MLH_CACHE_DIR.",
    )
