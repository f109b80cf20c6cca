"""What every source plugin (a URL scheme) must hold to."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest import SkipTest, mock

from mlharness.errors import MlharnessError
from mlharness.manifest.documents import MD5
from mlharness.providers import SourceProvider
from mlharness.testing.effort import lines_run, package_of
from mlharness.testing.growth import require_no_growth
from mlharness.testing.subject import Subject, on_threads
from mlharness.testing.verdict import raised_by, require, require_user_error

_SOURCE = "mlharness.providers.SourceProvider"
_OTHER = "0" * 64
_OTHER_MD5 = f"{MD5}{'0' * 32}"
_CALLS = 32
Fetch = Callable[[str, "str | None", Callable[[int, int], None]], Path]


class SourceConformance(Subject):
    """Checks one URL scheme on one file that is here. Set ``scheme``, and say how the file is named.

    ``bad_uris`` are those that make no sense for the scheme. ``most_lines`` is the most lines of the plugin's own
    Python for locating one file.
    """

    scheme: str = ""
    bad_uris: Sequence[str] = ()
    most_lines: int = 500

    def make_uri(self, folder: Path) -> tuple[str, str]:
        """URI and sha256 of a file that can be located without a network; it may be written into ``folder``."""
        raise NotImplementedError("say which file to check with: define make_uri(self, folder)")

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        """A URI of the right form, and a sha256 or None, of a file that is not here."""
        raise NotImplementedError("say which file is missing: define missing_uri(self, folder)")

    def fetchable_uri(self, folder: Path) -> tuple[str, str] | None:
        """URI and sha256 of a file that fetch brings here without leaving this machine; None: fetch is not checked."""
        return None

    def provider(self) -> SourceProvider:
        """The source as its plugin registers it."""
        plugins = self.plugins()
        return self.find(plugins, plugins.catalog.sources, self.scheme).provider

    def test_it_locates_a_file_that_is_here(self, tmp_path: Path) -> None:
        """With the bytes that its sha256 says."""
        uri, sha256 = self.make_uri(tmp_path)
        require(
            uri.startswith(f"{self.scheme}://"),
            f"source {self.scheme!r}: the URI is {uri!r}.",
            "URIs begin with the scheme",
            "make_uri in the test",
        )
        found = self.provider().locate(uri, sha256)
        require(
            isinstance(found, Path) and found.is_file(),
            f"source {self.scheme!r}: locate({uri!r}) gives {found!r}.",
            "locate answers with the path of a file that is here",
            _SOURCE,
        )
        assert found is not None, "required above"
        digest = hashlib.sha256(found.read_bytes()).hexdigest()
        require(
            digest == sha256,
            f"source {self.scheme!r}: {uri!r} has the sha256 {digest}.",
            f"the located file has the sha256 that is asked for, {sha256}",
            _SOURCE,
        )

    def test_the_answer_is_always_the_same(self, tmp_path: Path) -> None:
        """Locating has no side effects that a second call would see."""
        uri, sha256 = self.make_uri(tmp_path)
        provider = self.provider()
        found = [provider.locate(uri, sha256) for _ in range(3)]
        require(
            len(set(found)) == 1,
            f"source {self.scheme!r}: locate({uri!r}) gives {found}.",
            "locate is deterministic",
            _SOURCE,
        )

    def test_a_wrong_checksum_gives_no_file(self, tmp_path: Path) -> None:
        """None or a UserError, never the file."""
        uri, _ = self.make_uri(tmp_path)
        self._gives_no_file(
            uri, _OTHER, "a file whose sha256 differs is not given: locate answers None or raises UserError"
        )

    def test_a_missing_file_is_none_or_a_user_error(self, tmp_path: Path) -> None:
        """None says that it could be fetched, or that it is not there."""
        uri, sha256 = self.missing_uri(tmp_path)
        self._gives_no_file(uri, sha256, "locate answers None or raises UserError for what is not here")

    def test_fetching_brings_the_file(self, tmp_path: Path) -> None:
        """With the bytes that its sha256 says; from then on it is located."""
        uri, sha256, fetch = self._fetchable(tmp_path)
        told: list[tuple[int, int]] = []
        with own_cache(tmp_path):
            found: Any = fetch(uri, sha256, lambda done, total: told.append((done, total)))
            here = isinstance(found, Path) and found.is_file()
            require(
                here and hashlib.sha256(found.read_bytes()).hexdigest() == sha256,
                f"source {self.scheme!r}: fetch({uri!r}) gives {found!r}" + (", with other bytes." if here else "."),
                f"fetch returns the path of a file with the sha256 that is asked for, {sha256}",
                _SOURCE,
            )
            require(
                self.provider().locate(uri, sha256) is not None,
                f"source {self.scheme!r}: locate({uri!r}) gives None after fetch.",
                "what has been fetched is located",
                _SOURCE,
            )
        backwards = [pair for pair in told if pair[1] and not 0 <= pair[0] <= pair[1]]
        require(
            not backwards,
            f"source {self.scheme!r}: fetch tells the progress {backwards[:1]}.",
            "advance is called with bytes so far and bytes in all (0: unknown)",
            _SOURCE,
        )

    def test_fetching_with_a_wrong_checksum_leaves_no_file(self, tmp_path: Path) -> None:
        """What came is another file than was asked for: a UserError, and nothing that a later run would take."""
        uri, _, fetch = self._fetchable(tmp_path)
        asks = "fetch raises UserError for a file whose sha256 differs, and leaves none of it"
        with own_cache(tmp_path) as cache:
            require_user_error(
                f"source {self.scheme!r}: fetching {uri!r} with another sha256",
                asks,
                _SOURCE,
                lambda: fetch(uri, _OTHER, lambda done, total: None),
            )
            left = [path.name for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
            require(not left, f"source {self.scheme!r}: after a wrong sha256 the cache holds {left}.", asks, _SOURCE)
            self._gives_no_file(uri, _OTHER, asks)

    def test_fetching_takes_an_md5_where_that_is_declared(self, tmp_path: Path) -> None:
        """The file of that md5 is brought and then located; with a wrong one, nothing is left."""
        if not self.provider().md5:
            raise SkipTest("this source takes no md5: the kernel holds its files against one")
        uri, sha256, fetch = self._fetchable(tmp_path)
        asks = "a source that declares md5 takes 'md5:' and 32 digits as a checksum, in fetch and in locate"
        with own_cache(tmp_path):
            content = fetch(uri, sha256, lambda done, total: None).read_bytes()
        md5 = f"{MD5}{hashlib.md5(content, usedforsecurity=False).hexdigest()}"
        with own_cache(tmp_path / "md5"):
            before = self.provider().locate(uri, md5)
            found = fetch(uri, md5, lambda done, total: None)
            after = self.provider().locate(uri, md5)
            require(
                before is None and found == after and found.read_bytes() == content,
                f"source {self.scheme!r}: with {md5} locate gives {before}, fetch {found}, and then locate {after}.",
                asks,
                _SOURCE,
            )
        with own_cache(tmp_path / "wrong") as cache:
            require_user_error(
                f"source {self.scheme!r}: fetching {uri!r} with another md5",
                asks,
                _SOURCE,
                lambda: fetch(uri, _OTHER_MD5, lambda done, total: None),
            )
            left = [path.name for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
            require(not left, f"source {self.scheme!r}: after a wrong md5 the cache holds {left}.", asks, _SOURCE)

    def test_bad_uris_are_user_errors(self) -> None:
        """The message is what the manifest's author reads."""
        if not self.bad_uris:
            raise SkipTest("no bad URIs are given: set bad_uris")
        for uri in self.bad_uris:
            require_user_error(
                f"source {self.scheme!r}: locate({uri!r})",
                "locate raises UserError for a URI that names nothing",
                _SOURCE,
                partial(self.provider().locate, uri, None),
            )

    def test_locating_uses_no_network(self, tmp_path: Path) -> None:
        """It is called in the parent, before anything is asked of the user."""
        provider, here, missing = self.provider(), self.make_uri(tmp_path), self.missing_uri(tmp_path)
        with no_network() as attempts:
            raised_by(lambda: provider.locate(*here))
            raised_by(lambda: provider.locate(*missing))
        require(
            not attempts,
            f"source {self.scheme!r}: locate connects to {attempts[:1]}.",
            "locate answers at once and downloads nothing",
            _SOURCE,
        )

    def test_threads_may_ask_at_once(self, tmp_path: Path) -> None:
        """Every thread gets the same answer."""
        uri, sha256 = self.make_uri(tmp_path)
        provider = self.provider()
        alone = provider.locate(uri, sha256)
        asks = "locate works in any process and on any thread"
        try:
            found = on_threads(lambda _: provider.locate(uri, sha256), range(_CALLS))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the plugin's
            found = []
            require(
                False, f"source {self.scheme!r} raises {type(error).__name__} on other threads: {error}", asks, _SOURCE
            )
        require(set(found) == {alone}, f"source {self.scheme!r} gives other answers on several threads.", asks, _SOURCE)

    def test_a_thousand_calls_leak_nothing(self, tmp_path: Path) -> None:
        """Neither memory nor files nor threads."""
        uri, sha256 = self.make_uri(tmp_path)
        require_no_growth(
            f"source {self.scheme!r}: locate",
            "locate keeps nothing of a call",
            _SOURCE,
            partial(self.provider().locate, uri, sha256),
        )

    def test_overhead_is_bounded(self, tmp_path: Path) -> None:
        """The plugin's own Python runs few lines to locate a file."""
        uri, sha256 = self.make_uri(tmp_path)
        provider = self.provider()
        lines = lines_run(lambda: provider.locate(uri, sha256), package_of(provider.locate))
        require(
            lines <= self.most_lines,
            f"source {self.scheme!r} runs {lines} lines of Python to locate a file.",
            f"at most {self.most_lines} lines",
            _SOURCE,
        )

    def _fetchable(self, folder: Path) -> tuple[str, str, Fetch]:
        """A file that can be fetched, and fetch itself; the check is skipped when there is nothing to fetch."""
        provider, file = self.provider(), self.fetchable_uri(folder)
        fetch = provider.fetch or provider.fetch_over_http
        if fetch is None:
            raise SkipTest("this source fetches nothing")
        if file is None:
            raise SkipTest("no file to fetch is given: define fetchable_uri(self, folder)")
        return (*file, fetch)

    def _gives_no_file(self, uri: str, sha256: str | None, asks: str) -> None:
        try:
            found = self.provider().locate(uri, sha256)
        except MlharnessError:
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the plugin's
            require(
                False, f"source {self.scheme!r}: locate({uri!r}) raises {type(error).__name__}: {error}", asks, _SOURCE
            )
        else:
            require(found is None, f"source {self.scheme!r}: locate({uri!r}, {sha256!r}) gives {found}.", asks, _SOURCE)


@contextmanager
def own_cache(folder: Path) -> Iterator[Path]:
    """A cache that holds nothing yet, in place of the user's."""
    cache = folder / "cache-of-the-check"
    with mock.patch.dict(os.environ, {"MLH_CACHE_DIR": str(cache)}):
        yield cache


@contextmanager
def no_network() -> Iterator[list[Any]]:
    """No socket connects and no name is looked up; yields the list of what was tried."""
    attempts: list[Any] = []

    def refuse(*arguments: Any, **options: Any) -> NoReturn:
        attempts.append(next((item for item in arguments if not isinstance(item, socket.socket)), None))
        raise OSError("the conformance suite allows no network here")

    with (
        mock.patch.object(socket.socket, "connect", refuse),
        mock.patch.object(socket.socket, "connect_ex", refuse),
        mock.patch.object(socket, "getaddrinfo", refuse),
    ):
        yield attempts
