"""Comparisons of chosen runs: what becomes a side, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlharness.reporting.comparison import comparison_page
from mlharness.serving import views
from mlharness.serving.comparing import MOST_SIDES
from tests.unit.serving.conftest import OTHER, RUN, Asked, headline, words
from tests.unit.store.making import write_run


@pytest.fixture
def six(root: Path) -> list[str]:
    """Three runs of a plan, two of another, and one more of the first on another host."""
    plans = ["a", "a", "a", "b", "b", "a"]
    names = [f"2026030{number}T100000Z-tiny-Offline-aaaaa{number}" for number in range(1, 7)]
    for number, (name, plan) in enumerate(zip(names, plans, strict=True), start=1):
        host = "rack" if number == 6 else "desk"
        started = f"2026-03-0{number}T10:00:00.000+00:00"
        write_run(root, name, {"plan_sha256": plan * 64, "started": started, "system.host": host})
    return names


def comparison(ask: Asked, names: list[str], more: str = "") -> list[list[str]]:
    """The runs of each side."""
    seen: list[dict[str, Any]] = []

    def look(document: dict[str, Any]) -> str:
        seen.append(document)
        return comparison_page(document)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "comparison_page", look)
        ask.text(f"/compare?{'&'.join(f'run={name}' for name in names)}{more}")
    return [group["runs"] for group in seen[0]["groups"]]


def test_repeated_runs_are_one_side(ask: Asked, six: list[str]) -> None:
    assert comparison(ask, six) == [six[:3], six[3:5], six[5:]]
    assert comparison(ask, [six[3], six[0], six[1]]) == [[six[3]], six[:2]]


def test_runs_of_one_plan_alone_are_a_side_each(ask: Asked, six: list[str]) -> None:
    assert comparison(ask, six[:2]) == [[six[0]], [six[1]]]


def test_sides_can_be_single_runs_or_whole_plans(ask: Asked, six: list[str]) -> None:
    assert comparison(ask, six[1:4], "&by=each") == [[six[1]], [six[2]], [six[3]]]
    assert comparison(ask, six[2:4], "&by=plan") == [six[:3], six[3:5]]


def test_whole_plans_are_two_at_least(ask: Asked, six: list[str]) -> None:
    answer = ask(f"/compare?run={six[0]}&run={six[1]}&by=plan")
    assert (answer.status_code, "Runs of one plan are one side." in answer.text) == (400, True)


def test_sides_have_names_that_the_command_knows(ask: Asked, six: list[str]) -> None:
    page = words(ask.text(f"/compare?{'&'.join(f'run={name}' for name in six[:5])}"))
    assert f"mlh compare plan:{six[0]} plan:{six[3]}" in page
    part = words(ask.text(f"/compare?{'&'.join(f'run={name}' for name in [*six[:2], six[3]])}"))
    assert f"mlh compare {six[0]},{six[1]} {six[3]}" in part


def test_a_run_is_chosen_once(ask: Asked, six: list[str]) -> None:
    assert comparison(ask, [six[0], six[0], six[3]]) == [[six[0]], [six[3]]]


def test_the_other_ways_are_links(ask: Asked, six: list[str]) -> None:
    page = ask.text(f"/compare?run={six[0]}&run={six[3]}")
    link = f"/compare?run={six[0]}&amp;run={six[3]}"
    assert f'href="{link}" aria-current="true">Chosen runs of one plan together' in page
    assert f'href="{link}&amp;by=each">Each run by itself' in page
    assert f'href="{link}&amp;by=plan">All runs of those plans' in page


def test_an_unfair_pair_is_ranked_when_that_is_asked_for(ask: Asked, root: Path) -> None:
    write_run(root, RUN)
    write_run(root, OTHER, {"dataset.name": "others", "plan_sha256": "b" * 64})
    query = f"/compare?run={RUN}&run={OTHER}"
    page = ask.text(query)
    assert "Rank unfair pairs, too" in words(page)
    assert f'href="/compare?run={RUN}&amp;run={OTHER}&amp;anyway=1"' in page
    assert 'anyway=1" aria-current' not in page
    ranked = ask.text(f"{query}&anyway=1")
    assert f'href="/compare?run={RUN}&amp;run={OTHER}" aria-current="true">Rank unfair pairs, too' in ranked


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "There is nothing to compare. Choose two runs or more"),
        (f"run={RUN}", 400, "There is nothing to compare."),
        (f"run={RUN}&run=nosuch", 404, "there is no run 'nosuch'"),
        (f"run={RUN}&by=hand", 400, "Sides cannot be made by 'hand'."),
    ],
)
def test_what_cannot_be_compared_is_told(ask: Asked, run: Path, query: str, status: int, message: str) -> None:
    answer = ask(f"/compare?{query}")
    assert answer.status_code == status
    assert message in headline(answer)


def test_there_are_only_so_many_sides(ask: Asked, root: Path) -> None:
    names = [write_run(root, f"r{number}").name for number in range(MOST_SIDES + 1)]
    answer = ask(f"/compare?by=each&{'&'.join(f'run={name}' for name in names)}")
    assert (answer.status_code, "are the most" in answer.text) == (400, True)
