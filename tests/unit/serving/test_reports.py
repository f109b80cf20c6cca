"""Reports of runs, as they are opened from the list."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from mlharness.serving import views
from mlharness.serving.keeping import Keeper, state_of
from mlharness.store.labelling import change_labels
from mlharness.store.opening import open_store
from tests.unit.serving.conftest import RUN, Asked, headline, words
from tests.unit.store.making import rewrite, write_run


def test_a_report_has_the_way_back_above_it(ask: Asked, run: Path) -> None:
    page = ask.text(f"/runs/{RUN}")
    assert words(page).startswith("Skip to the content mlharness Runs Sweeps")
    assert '<a href="/">Runs</a>' in page
    assert "VALID (quick)" in words(page)


def test_a_report_is_made_again_when_the_run_has_changed(ask: Asked, run: Path) -> None:
    first = ask(f"/runs/{RUN}")
    again = ask(f"/runs/{RUN}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    change_labels(run, {"checked": "yes"})
    changed = ask(f"/runs/{RUN}", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "checked yes" in words(changed.text)
    assert first.headers["Cache-Control"] == "private, no-cache"


def test_reports_are_kept_and_the_oldest_given_up(tmp_path: Path) -> None:
    made: list[str] = []

    def make(path: Path) -> str:
        made.append(path.name)
        return "x" * 40

    for name in "abc":
        (tmp_path / name).mkdir()
    keeper = Keeper(largest=100)
    for name in "aabacb":
        assert keeper.get(tmp_path / name, make).body == b"x" * 40
    assert made == ["a", "b", "c", "b"]
    large = Keeper(largest=10)
    assert [large.get(tmp_path / "a", make).state for _ in range(2)] == [state_of(tmp_path / "a")] * 2
    assert made[4:] == ["a"]


def test_the_beginning_of_an_id_leads_to_the_run(ask: Asked, run: Path) -> None:
    answer = ask("/runs/20260301")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{RUN}")
    assert ask("/runs/@last").headers["Location"] == f"/runs/{RUN}"


def test_an_unknown_run_is_told_with_the_likely_one(ask: Asked, run: Path) -> None:
    answer = ask("/runs/20260301T100000Z-tiny-Offline-aaaaab")
    assert answer.status_code == 404
    assert f"Did you mean '{RUN}'?" in headline(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/runs/{}", "/runs//{}", "/runs/..%2F{}", "/runs/%2e%2e/{}", "/runs/../{}", "/runs/runs%2F..%2F{}", "/runs/..",
        "/runs/.", "/runs/%00", "/{}", "/sweeps/..", "/sweeps/{}", "/sweeps/..%2F{}", "/compare?run={0}&run=x",
    ],
)  # fmt: skip
def test_no_address_is_a_path(ask: Asked, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # a run that the store does not know, named by its path from here and from the root, and by its name where it lies
    outside = write_run(tmp_path / "outside", "secret")
    monkeypatch.chdir(outside.parent)
    for name in ("secret", str(outside), f".{outside.parent}/secret"):
        answer = ask(path.format(name))
        assert answer.status_code == 404, path
        assert "VALID" not in answer.text


def test_a_run_that_has_vanished_is_told(ask: Asked, run: Path) -> None:
    ask.text("/")
    shutil.rmtree(run)
    answer = ask(f"/runs/{RUN}")
    assert answer.status_code == 410
    assert f"The files of run {RUN} are not here: they were in {run}, which is gone." in headline(answer)
    assert ask("/").status_code == 200


def test_of_a_run_of_another_host_there_is_what_the_store_knows(ask: Asked, run: Path) -> None:
    ask.text("/")
    with open_store().writing() as connection:
        connection.execute(text("UPDATE mlh_runs SET kept_on = 'rack', root = '/nowhere'"))
    page = words(ask.text(f"/runs/{RUN}"))
    assert f"This is what the store knows; the run directory is /nowhere/{RUN} on rack." in page
    assert "101.50" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run / "result.json").write_text('{"schema_version":', "utf-8"), "is damaged"),
        (lambda run: rewrite(run, {"schema_version": 2}), "has schema_version 2, and this mlharness reads 1"),
    ],
    ids=["truncated", "newer"],
)
def test_a_run_that_cannot_be_read_is_told(
    ask: Asked, run: Path, change: Callable[[Path], object], message: str
) -> None:
    ask.text("/")
    change(run)
    answer = ask(f"/runs/{RUN}")
    assert answer.status_code == 500
    assert message in headline(answer)
    assert "bug" not in headline(answer)
    assert ask("/").status_code == 200


def test_a_bug_takes_one_page_away_and_no_other(ask: Asked, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> str:
        raise ZeroDivisionError("oh <b>no</b>")

    monkeypatch.setattr(views, "run_page", broken)
    answer = ask(f"/runs/{RUN}")
    assert answer.status_code == 500
    assert "This is a bug in mlharness: ZeroDivisionError: oh <b>no</b>" in headline(answer)
    assert "<b>" not in answer.text
    assert len(ask.failed) == 1
    assert "Traceback" in ask.failed[0]
    assert "broken" in ask.failed[0]
    assert ask("/").status_code == 200


def test_what_was_asked_for_is_told(ask: Asked) -> None:
    ask("/nothing?token=secret")
    assert ask.told == ["GET /nothing: 404"]
