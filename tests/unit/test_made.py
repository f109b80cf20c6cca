"""Files that a source makes: once, whole or not at all; and the queries that name them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mlharness.errors import UserError
from mlharness.made import MOST_SEED, made_before, make_once, parse_query, parse_seed

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_file_is_made_once(tmp_path: Path) -> None:
    path, made = tmp_path / "new" / "model.onnx", list[Path]()

    def make(target: Path) -> None:
        made.append(target)
        target.write_text("whole")

    threads = [threading.Thread(target=make_once, args=(path, make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "whole"
    assert len(made) == 1
    assert made[0] != path
    assert made[0].suffix == ".onnx"
    assert not made[0].exists()


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"

    def fail(target: Path) -> None:
        target.write_text("half")
        raise UserError("no such model")

    with pytest.raises(UserError, match="no such model"):
        make_once(path, fail)
    assert [found.name for found in tmp_path.iterdir()] == ["lock"]


def test_a_cache_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"the cache .*file cannot be used") as raised:
        make_once(tmp_path / "file" / "model.onnx", lambda target: None)
    assert "MLH_CACHE_DIR" in raised.value.remedy


def test_what_was_made_before_is_verified(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    assert made_before(path, "zoo://model", None) is None
    path.touch()
    assert made_before(path, "zoo://model", EMPTY) == path
    with pytest.raises(UserError, match="wrong sha256"):
        made_before(path, "zoo://model", "0" * 64)


def test_a_query() -> None:
    assert parse_query("zoo://a?x=1&y=b", "x=1&y=b", ("x", "y"), "Write x.") == {"x": "1", "y": "b"}
    assert parse_query("zoo://a", "", ("x",), "Write x.") == {}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("wights=none", "unknown query parameter 'wights'"),
        ("weights=a&weights=b", "weights stands there twice"),
        ("weights=", "weights is empty"),
        ("weights", "cannot be read"),
    ],
)
def test_queries_that_ask_for_nothing(query: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as raised:
        parse_query(f"zoo://a?{query}", query, ("weights", "seed"), "Write zoo://a?weights=none.")
    assert raised.value.remedy


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "", "1" * 30, str(MOST_SEED + 1), "\u0663"])
def test_seeds_that_no_generator_takes(text: str) -> None:
    with pytest.raises(UserError, match="seed is"):
        parse_seed("zoo://a", text)


def test_the_largest_seed() -> None:
    assert parse_seed("zoo://a", str(MOST_SEED)) == MOST_SEED
