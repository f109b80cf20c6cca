"""Every check of the source suite can fail: one deliberately wrong source for each."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest

from mlharness.errors import UserError
from mlharness.paths import cache_dir
from mlharness.plugins import Plugins
from mlharness.providers import SourceProvider
from mlharness.registrars import SourceRegistrar
from mlharness.testing import SourceConformance
from mlharness.testing.sources import Fetch
from tests.unit.testing.broken import checks_of, fails, only, run_check

KEPT: list[Any] = []
CONTENT = b"weights"


@pytest.fixture(autouse=True)
def _forget() -> None:
    KEPT.clear()


def right(uri: str, sha256: str | None) -> Path | None:
    path = Path(uri.removeprefix("fake://"))
    if not path.is_absolute():
        raise UserError(f"{uri} names no file", "Write fake:///PATH.")
    if not path.is_file() or (sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != sha256):
        return None
    return path


def text(uri: str, sha256: str | None) -> Any:
    return str(right(uri, sha256))


def nothing(uri: str, sha256: str | None) -> Path | None:
    return None


def another(uri: str, sha256: str | None) -> Path | None:
    return Path(__file__)


def drifting(uri: str, sha256: str | None) -> Path | None:
    KEPT.append(1)
    return Path(f"/{len(KEPT)}")


def trusting(uri: str, sha256: str | None) -> Path | None:
    return right(uri, None)


def raising(uri: str, sha256: str | None) -> Path | None:
    found = right(uri, sha256)
    if found is None:
        raise KeyError(uri)
    return found


def guessing(uri: str, sha256: str | None) -> Path | None:
    return right(uri, sha256) if uri.startswith("fake:///") else None


def connecting(uri: str, sha256: str | None) -> Path | None:
    with socket.socket() as tried:
        tried.connect(("192.0.2.1", 9))
    return right(uri, sha256)


def only_main(uri: str, sha256: str | None) -> Path | None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("this is not the main thread")
    return right(uri, sha256)


def wrong_on_threads(uri: str, sha256: str | None) -> Path | None:
    return right(uri, sha256) if threading.current_thread() is threading.main_thread() else None


def keeping(uri: str, sha256: str | None) -> Path | None:
    KEPT.append(bytearray(200))
    return right(uri, sha256)


def verbose(uri: str, sha256: str | None) -> Path | None:
    for _ in range(1000):
        pass
    return right(uri, sha256)


def cached(uri: str, sha256: str | None) -> Path | None:
    found = cache_dir() / f"{sha256}"
    return found if found.is_file() else None


def digests(content: bytes) -> tuple[str, str]:
    return hashlib.sha256(content).hexdigest(), f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"


def fetch(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    content = Path(uri.removeprefix("fake://")).read_bytes()
    advance(len(content), len(content))
    if sha256 not in digests(content):
        raise UserError(f"{uri} has another sha256", "Correct it.")
    return keep(content, sha256)


def keep(content: bytes, sha256: str | None) -> Path:
    cache_dir().mkdir(parents=True, exist_ok=True)
    (cache_dir() / f"{sha256}").write_bytes(content)
    return cache_dir() / f"{sha256}"


def fetch_other(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    return keep(b"other", sha256)


def fetch_nowhere(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    return Path("/nowhere")


def fetch_aside(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    return fetch(uri, sha256, advance).rename(Path(uri.removeprefix("fake://")).with_name("aside"))


def fetch_backwards(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    advance(7, 3)
    return fetch(uri, sha256, advance)


def fetch_trusting(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    return keep(Path(uri.removeprefix("fake://")).read_bytes(), sha256)


def fetch_untidy(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    keep(Path(uri.removeprefix("fake://")).read_bytes(), "left.part")
    return fetch(uri, sha256, advance)


def fetch_any_md5(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    trusting = str(sha256).startswith("md5:")
    return fetch_trusting(uri, sha256, advance) if trusting else fetch(uri, sha256, advance)


def fetch_no_md5(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    return fetch_other(uri, sha256, advance) if str(sha256).startswith("md5:") else fetch(uri, sha256, advance)


def fetch_untidy_md5(uri: str, sha256: str | None, advance: Callable[[int, int], None]) -> Path:
    return fetch_untidy(uri, sha256, advance) if str(sha256).startswith("md5:") else fetch(uri, sha256, advance)


class Suite(SourceConformance):
    scheme = "fake"
    bad_uris: Sequence[str] = ("fake://relative",)

    def __init__(
        self, locate: Callable[[str, str | None], Any], scheme: str = "fake", fetch: Fetch | None = None
    ) -> None:
        self.locate, self.written, self.fetch = locate, scheme, fetch

    def plugins(self) -> Plugins:
        provider = SourceProvider("fake", self.locate, self.fetch, md5=True)
        return only(lambda catalog: SourceRegistrar(catalog, "fakes").source(provider))

    def make_uri(self, folder: Path) -> tuple[str, str]:
        (folder / "model.bin").write_bytes(CONTENT)
        return f"{self.written}://{folder / 'model.bin'}", hashlib.sha256(CONTENT).hexdigest()

    def fetchable_uri(self, folder: Path) -> tuple[str, str]:
        (folder / "there").write_bytes(CONTENT)
        return f"fake://{folder / 'there'}", hashlib.sha256(CONTENT).hexdigest()

    def missing_uri(self, folder: Path) -> tuple[str, str | None]:
        return f"fake://{folder / 'missing.bin'}", None


WRONG: list[tuple[str, Suite, str]] = [
    ("test_it_locates_a_file_that_is_here", Suite(right, "other"), "the URI is"),
    ("test_it_locates_a_file_that_is_here", Suite(text), "gives '"),
    ("test_it_locates_a_file_that_is_here", Suite(nothing), "gives None"),
    ("test_it_locates_a_file_that_is_here", Suite(another), "has the sha256"),
    ("test_the_answer_is_always_the_same", Suite(drifting), "gives ["),
    ("test_a_wrong_checksum_gives_no_file", Suite(trusting), "model.bin"),
    ("test_a_missing_file_is_none_or_a_user_error", Suite(another), "gives "),
    ("test_a_missing_file_is_none_or_a_user_error", Suite(raising), "raises KeyError"),
    ("test_fetching_brings_the_file", Suite(cached, fetch=fetch_other), "with other bytes"),
    ("test_fetching_brings_the_file", Suite(cached, fetch=fetch_nowhere), "gives PosixPath('/nowhere')"),
    ("test_fetching_brings_the_file", Suite(cached, fetch=fetch_aside), "gives None after fetch"),
    ("test_fetching_brings_the_file", Suite(cached, fetch=fetch_backwards), "the progress [(7, 3)]"),
    ("test_fetching_with_a_wrong_checksum_leaves_no_file", Suite(cached, fetch=fetch_trusting), "raises nothing"),
    ("test_fetching_with_a_wrong_checksum_leaves_no_file", Suite(cached, fetch=fetch_untidy), "holds ['left.part']"),
    ("test_fetching_takes_an_md5_where_that_is_declared", Suite(cached, fetch=fetch_no_md5), "with md5:"),
    ("test_fetching_takes_an_md5_where_that_is_declared", Suite(cached, fetch=fetch_any_md5), "raises nothing"),
    ("test_fetching_takes_an_md5_where_that_is_declared", Suite(cached, fetch=fetch_untidy_md5), "['left.part']"),
    ("test_bad_uris_are_user_errors", Suite(guessing), "raises nothing"),
    ("test_locating_uses_no_network", Suite(connecting), "192.0.2.1"),
    ("test_threads_may_ask_at_once", Suite(only_main), "not the main thread"),
    ("test_threads_may_ask_at_once", Suite(wrong_on_threads), "other answers"),
    ("test_a_thousand_calls_leak_nothing", Suite(keeping), "bytes allocated through Python"),
    ("test_overhead_is_bounded", Suite(verbose), "lines of Python to locate"),
]


@pytest.mark.parametrize(("check", "suite", "said"), WRONG)
def test_wrong_source_fails(check: str, suite: Suite, said: str, tmp_path: Path) -> None:
    assert said in fails(suite, check, tmp_path)


@pytest.mark.parametrize("check", checks_of(SourceConformance))
def test_right_source_passes(check: str, tmp_path: Path) -> None:
    run_check(Suite(cached if "fetching" in check else right, fetch=fetch), check, tmp_path)


def test_what_is_not_given_is_skipped_and_said(tmp_path: Path) -> None:
    class Silent(Suite):
        bad_uris = ()

        def fetchable_uri(self, folder: Path) -> Any:
            return None

    with pytest.raises(SkipTest, match="set bad_uris"):
        run_check(Silent(right), "test_bad_uris_are_user_errors", tmp_path)
    with pytest.raises(SkipTest, match="fetches nothing"):
        run_check(Suite(right), "test_fetching_brings_the_file", tmp_path)
    with pytest.raises(SkipTest, match="define fetchable_uri"):
        run_check(Silent(right, fetch=fetch), "test_fetching_brings_the_file", tmp_path)


def test_every_check_has_a_wrong_source() -> None:
    assert {check for check, _, _ in WRONG} == set(checks_of(SourceConformance))
