"""Files from the web, by checksum: fetched once, resumed where a download broke off, verified, kept in the cache.

The cache holds, under ``files/``, each file under its sha256; beside it ``.ok`` says with what size and time of change
it was verified, ``.part`` is what a broken download left, and ``.lock`` keeps two runs from fetching one file twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from mlharness.errors import UserError
from mlharness.manifest.files import digest
from mlharness.paths import cache_dir

if TYPE_CHECKING:
    import requests

Advance = Callable[[int, int], None]

_CHUNK = 1 << 16  # the most that is lost when a download breaks off
_TIMEOUT_S = (10, 60)  # to connect, and without a byte
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def locate(uri: str, sha256: str | None) -> Path | None:
    """The file when it is in the cache; its bytes are hashed only when they have changed since they were verified."""
    path = cached_path(uri, sha256)
    try:
        if not path.is_file():
            return None
        if _read_mark(path) != _stamp(path):
            if digest(path) != path.name:
                return None
            _write_mark(path)
    except OSError as error:
        raise _unusable_cache(path, error) from error
    return path


def fetch(uri: str, sha256: str | None, advance: Advance) -> Path:
    """Bring the file into the cache.

    Args:
        uri: an ``https://`` address; redirects to anything else are refused.
        sha256: what the file's bytes must have.
        advance: told bytes so far and bytes in all (0: unknown).

    Raises:
        UserError: the server cannot be reached, answers with an error, breaks off (what has come is kept, and the next
            call goes on from there), or sends a file with another checksum (which is deleted).
    """
    path = cached_path(uri, sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            # Another process may have brought it while this one waited.
            found = locate(uri, sha256)
            if found is None:
                _retrieve(uri, path, advance)
                _write_mark(path)
    except OSError as error:
        raise _unusable_cache(path, error) from error
    return path


def cached_path(uri: str, sha256: str | None) -> Path:
    """Where a file of that checksum is kept. Raises UserError without a checksum that could be one."""
    if sha256 is None or not _SHA256.match(sha256):
        raise UserError(f"{uri} has no usable sha256: {sha256!r}", "Give 64 lower-case hexadecimal digits.")
    return cache_dir() / "files" / sha256


def _retrieve(uri: str, path: Path, advance: Advance) -> None:
    """Download to a temporary file, verify, rename. Raises UserError for all that can go wrong on the way."""
    import pooch
    import requests

    # pooch announces each download on standard error; the runner reports progress itself.
    pooch.get_logger().setLevel("WARNING")
    downloader = ResumingDownloader(path.with_name(f"{path.name}.part"), advance)
    try:
        pooch.retrieve(uri, f"sha256:{path.name}", path.name, path.parent, downloader=downloader)
    except requests.HTTPError as error:
        said = f"{error.response.status_code} {error.response.reason}" if error.response is not None else str(error)
        raise UserError(f"{uri}: the server answers {said}", "Check the address in the manifest.") from error
    except requests.exceptions.InvalidSchema as error:
        raise UserError(f"{uri} leads to an address that is not https", "Use the file's final address.") from error
    except requests.RequestException as error:
        raise UserError(f"{uri}: {_reason(error, downloader)}", _again(downloader)) from error
    except ValueError as error:  # what pooch raises for a wrong checksum, after deleting the file
        raise UserError(
            f"{uri} has the wrong sha256: found {downloader.found}, expected {path.name}; the download was deleted",
            "Correct sha256 in the manifest if the file was meant to change; otherwise do not use it.",
        ) from error


class ResumingDownloader:
    """Downloads for pooch, going on where an earlier attempt broke off.

    Args:
        part: holds what has come so far; it outlives a failed attempt.
        advance: told bytes so far and bytes in all (0: unknown).
    """

    def __init__(self, part: Path, advance: Advance) -> None:
        self.part = part
        self.found = ""
        """The sha256 of what came."""
        self._advance = advance

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download ``url`` to ``output_file``. Raises requests' exceptions."""
        with open_session() as session:
            hashed = self._receive(session, url)
        self.found = hashed
        self.part.replace(output_file)

    def _receive(self, session: requests.Session, url: str) -> str:
        """Complete the part, and return its sha256."""
        hashed, done = _hash_part(self.part)
        with self._request(session, url, done) as response:
            response.raise_for_status()
            if response.status_code != 206:
                # The server sends the whole file, whatever was asked for.
                hashed, done = hashlib.sha256(), 0
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


def open_session() -> requests.Session:
    """A session that speaks https only, in redirects too, and tries again when a server is busy."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    session.adapters.clear()
    busy = Retry(3, connect=0, read=0, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
    session.mount("https://", HTTPAdapter(max_retries=busy))
    return session


def _hash_part(part: Path) -> tuple[Any, int]:
    """A running sha256 over what an earlier attempt left, and how many bytes that is."""
    hashed, done = hashlib.sha256(), 0
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
