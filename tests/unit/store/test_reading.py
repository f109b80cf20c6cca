"""What is read of a run directory, and what is wrong with one that cannot be read."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mlharness.errors import UserError
from mlharness.store import reading
from mlharness.store.reading import IncompleteRunError, read_record
from tests.unit.store.making import a_result, rewrite, write_run

RUN = "20260301T100000Z-tiny-Offline-abcdef"


def test_a_row_has_what_the_result_says(root: Path) -> None:
    record = read_record(write_run(root, RUN))
    row = record.row
    assert (row["run_id"], row["model"], row["framework"], row["host"]) == (RUN, "tiny", "null", "desk")
    assert (row["status"], row["metric"], row["value"], row["unit"]) == (
        "valid", "result_samples_per_second", 101.5, "samples/s",
    )  # fmt: skip
    assert (row["started"], row["finished"].microsecond) == (datetime(2026, 3, 1, 10), 500_000)
    assert (row["root"], row["folder"], record.labels) == (str(root), RUN, {"who": "ci"})
    assert row["stamp"] == (root / RUN).stat().st_mtime_ns
    assert json.loads(record.document) == json.loads((root / RUN / "result.json").read_text("utf-8"))


def test_a_run_without_figures_has_none(root: Path) -> None:
    nothing: dict[str, Any] = {
        "metric": None,
        "latency_ns": None,
        "samples": None,
        "queries": None,
        "system": {},
        "quality": None,
    }
    row = read_record(write_run(root, RUN, {"status": "failed", **nothing})).row
    assert [row[name] for name in ("value", "p99_ns", "accuracy", "quality", "samples")] == [None] * 5
    assert row["host"] == ""


def test_times_of_another_zone_are_kept_as_utc(root: Path) -> None:
    row = read_record(write_run(root, RUN, {"started": "2026-03-01T12:00:00.000+02:00"})).row
    assert row["started"] == datetime(2026, 3, 1, 10)


def test_the_content_is_the_same_however_it_is_laid_out(root: Path, tmp_path: Path) -> None:
    one = write_run(root, RUN)
    other = tmp_path / "other" / RUN
    other.mkdir(parents=True)
    document = a_result(RUN)
    (other / "result.json").write_text(json.dumps(dict(reversed(document.items()))), "utf-8")
    assert read_record(one).row["content_sha256"] == read_record(other).row["content_sha256"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_result_is_damaged(root: Path, share: float) -> None:
    path = write_run(root, RUN) / "result.json"
    text = path.read_text("utf-8")
    path.write_text(text[: int(share * len(text))], "utf-8")
    with pytest.raises(UserError, match=r"result\.json is damaged: ") as caught:
        read_record(root / RUN)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "has schema_version 2, and this mlharness reads 1"),
        ({"schema_version": "1"}, "is no result of mlharness: schema_version is '1'"),
        ({"schema_version": True}, "schema_version is True"),
        ({"model": {"version": "1"}}, r"missing required field `name` - at `\$\.model`"),
        ({"started": "yesterday"}, r"at `\$\.started`"),
        ({"labels": {"n": 1}}, r"at `\$\.labels"),
        *[({"run_id": name}, "is no name of a run directory")
          for name in ("../x", "", ".", "@last", "-rf", "a\nb", "a\0", "x" * 256)],
    ],
)  # fmt: skip
def test_what_is_no_result_of_this_version(root: Path, changes: dict[str, Any], words: str) -> None:
    directory = write_run(root, "run", changes)
    with pytest.raises(UserError, match=words) as caught:
        read_record(directory)
    assert str(directory / "result.json") in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["[1]", "null", b"\xff\xfe{", "[" * 100_000])
def test_what_is_no_json_object(root: Path, text: str | bytes) -> None:
    path = write_run(root, RUN) / "result.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=r"result\.json is damaged: "):
        read_record(root / RUN)


def test_a_result_that_fills_the_memory_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_BYTES", 1 << 10)
    with pytest.raises(UserError, match="larger than"):
        read_record(write_run(root, RUN))


def test_a_run_without_result_is_incomplete(root: Path) -> None:
    (root / RUN).mkdir()
    with pytest.raises(IncompleteRunError, match=r"has no result\.json"):
        read_record(root / RUN)
    with pytest.raises(IncompleteRunError, match="does not exist"):
        read_record(root / "nothing")


def test_changed_labels_take_the_place_of_the_first_ones(root: Path) -> None:
    directory = write_run(root, RUN)
    (directory / "labels.json").write_text('{"schema_version": 1, "labels": {"a": "b"}}', "utf-8")
    assert read_record(directory).labels == {"a": "b"}


@pytest.mark.parametrize("text", ["", '{"labels": {"a": ', '{"labels": {"a": 1}}', "{}", "[]"])
def test_damaged_labels_are_told_and_the_first_ones_used(root: Path, text: str) -> None:
    directory = write_run(root, RUN)
    (directory / "labels.json").write_text(text, "utf-8")
    record = read_record(directory)
    assert record.labels == {"who": "ci"}
    assert record.problem.startswith(f"{directory / 'labels.json'} is damaged: ")


def test_labels_of_a_newer_mlharness_are_told_and_not_guessed_at(root: Path) -> None:
    directory = write_run(root, RUN)
    (directory / "labels.json").write_text('{"schema_version": 2, "labels": {"a": "b"}}', "utf-8")
    record = read_record(directory)
    assert record.labels == {"who": "ci"}
    assert "labels.json has schema_version 2, and this mlharness reads 1" in record.problem


def test_text_that_a_database_refuses_is_replaced(root: Path) -> None:
    record = read_record(write_run(root, RUN, {"model.name": "a\0b", "labels": {"k\0": "\udc80"}}))
    assert (record.row["model"], record.labels) == ("a\ufffdb", {"k\ufffd": "?"})


def test_a_change_of_the_directory_changes_its_stamp(root: Path) -> None:
    directory = write_run(root, RUN)
    before = read_record(directory).row
    rewrite(directory, {"warnings": ["an observer failed"]})
    after = read_record(directory).row
    assert after["stamp"] != before["stamp"]
    assert after["content_sha256"] != before["content_sha256"]
