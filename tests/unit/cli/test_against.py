"""``mlh bench A --against B``: the turns, the labels, what B inherits of A, and the comparison at the end."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlharness import bench as bench_module
from mlharness.choices import Choices
from mlharness.cli.against import PAIRS, turns
from mlharness.request import Request
from tests.unit.cli.conftest import Mlh
from tests.unit.comparing.making import a_run, write_run


class Bench:
    """Stands in for runs: B takes as much longer as it is told, a run may have other changes by its turn."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.earlier: list[int] = []
        self.slower = 1.0
        self.changes: Mapping[str, Any] = {}
        """Of B's results."""
        self.spoilt: Mapping[int, Mapping[str, Any]] = {}

    def __call__(self, request: Request, earlier: Sequence[Any] = ()) -> dict[str, Any]:
        self.requests.append(request)
        self.earlier.append(len(earlier))
        turn, labels = len(self.requests), dict(request.choices.labels)
        b = labels.get("mlh.series", "").endswith("-B")
        changes = {"labels": labels, **(self.changes if b else {}), **self.spoilt.get(turn, {})}
        run = a_run(turn, (self.slower if b else 1.0) * (1 + 0.001 * (turn * 7 % 5)), changes)
        write_run(request.root, run)
        return dict(run.result)

    @property
    def sides(self) -> str:
        """A or B of each run, in order."""
        return "".join(request.choices.labels["mlh.series"][-1] for request in self.requests)

    def choices(self, side: str) -> Choices:
        return next(
            request.choices for request, letter in zip(self.requests, self.sides, strict=True) if letter == side
        )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    stand_in = Bench()
    monkeypatch.setattr(bench_module, "bench", stand_in)
    monkeypatch.chdir(tmp_path)
    return stand_in


def test_turns() -> None:
    assert [(number, side) for number, side in turns(3)] == [(1, "A"), (1, "B"), (2, "B"), (2, "A"), (3, "A"), (3, "B")]


def test_both_sides_take_turns_and_are_compared(mlh: Mlh, bench: Bench) -> None:
    bench.slower = 1.1
    ran = mlh("bench", "null", "--against", "--option largest_batch=4")
    assert ran.code == 0, ran.err
    assert bench.sides == "ABBAABBAABBAAB"
    assert len(bench.sides) == 2 * PAIRS
    assert bench.earlier == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6], "each side has fingerprints of its own"
    assert [request.choices.labels["mlh.pair"] for request in bench.requests[:4]] == ["1", "1", "2", "2"]
    assert "B against A, 7 pairs: SLOWER" in ran.out
    assert "pair 1 of 7, A: valid, 1.000 ms" not in ran.out
    assert "pair 7 of 7, B: valid, 1." in ran.err


def test_what_is_printed_first_compares_them_again(mlh: Mlh, bench: Bench) -> None:
    ran = mlh("bench", "null", "--against", "null", "--repeat", "5")
    (line,) = (line for line in ran.err.splitlines() if "to compare them again" in line)
    again = mlh(*shlex.split(line.partition("again: mlh ")[2]))
    assert again.code == 0, again.err
    assert "B against A, 5 pairs: NO DIFFERENCE SEEN" in again.out
    assert "A: A" in ran.out, "two that are written alike are called A and B"


@pytest.mark.parametrize(
    ("words", "against", "field", "a", "b"),
    [
        (["--threads", "2"], "null --threads 1", "threads", 2, 1),
        (["--threads", "2"], "null", "threads", 2, 2),
        ([], "--framework null", "framework", None, "null"),
        (["--option", "a=1"], "--option b=2", "options", ("a=1",), ("a=1", "b=2")),
        (["--option", "a=1"], "--framework null", "options", ("a=1",), ()),
        (["--option", "a=1"], "--framework null --option b=2", "options", ("a=1",), ("b=2",)),
        ([], "'null' --batch-size 4", "batch_size", None, 4),
        (["--duration", "2"], "--duration 3", "duration_s", 2.0, 3.0),
        (["--trust"], "null", "trust", True, True),
    ],
)
def test_b_is_a_but_for_what_is_said(
    mlh: Mlh, bench: Bench, words: list[str], against: str, field: str, a: object, b: object
) -> None:
    ran = mlh("bench", "null", *words, "--against", against, "--repeat", "1")
    assert ran.code == 0, ran.err
    assert (getattr(bench.choices("A"), field), getattr(bench.choices("B"), field)) == (a, b)


def test_labels_of_the_user_are_kept(mlh: Mlh, bench: Bench) -> None:
    mlh("bench", "null", "--label", "who=me", "--against", "null", "--repeat", "1")
    assert [request.choices.labels["who"] for request in bench.requests] == ["me", "me"]


def test_one_document(mlh: Mlh, bench: Bench) -> None:
    ran = mlh("bench", "null", "--against", "null", "--json")
    assert ran.document["comparisons"][0]["verdict"] == "no difference seen"
    assert ran.document["groups"][0]["name"] == "A"


@pytest.mark.parametrize(("slower", "code"), [(1.1, 3), (1.0, 0)])
def test_fail_if(mlh: Mlh, bench: Bench, slower: float, code: int) -> None:
    bench.slower = slower
    assert mlh("bench", "null", "--against", "null", "--fail-if", "slower:5%").code == code


def test_a_run_that_fails_costs_its_pair_and_the_exit_code(mlh: Mlh, bench: Bench) -> None:
    bench.spoilt = {4: {"status": "failed", "invalid_reasons": ["boom"], "metric": None, "latency_ns": None}}
    ran = mlh("bench", "null", "--against", "null")
    assert ran.code == 3
    assert "B against A, 6 pairs: NO DIFFERENCE SEEN" in ran.out
    assert "left out: failed: boom" in ran.out
    assert "left out: the other run of its pair does not count" in ran.out


class TestUnfair:
    """The first pair shows already that the rest would be for nothing."""

    def test_it_ends_after_the_first_pair(self, mlh: Mlh, bench: Bench) -> None:
        bench.changes = {"dataset.count": 3}
        ran = mlh("bench", "null", "--against", "null")
        assert ran.code == 2
        assert bench.sides == "AB"
        assert "would be unfair: data: other data (samples)" in ran.err

    def test_unless_somebody_insists(self, mlh: Mlh, bench: Bench) -> None:
        bench.changes = {"dataset.count": 3}
        ran = mlh("bench", "null", "--against", "null", "--anyway")
        assert ran.code == 0, ran.err
        assert "[unfair, ranked with --anyway]" in ran.out


def test_only_the_best_attempt_counts(mlh: Mlh, bench: Bench) -> None:
    """``--require-quality`` makes a run again, within its turn."""
    poor = {"quality": {"grade": "D", "reasons": [], "stretches": [], "samples": 1}}
    bench.spoilt = {1: poor}
    ran = mlh("bench", "null", "--against", "null", "--repeat", "5", "--require-quality", "B", "--json")
    assert ran.code == 0, ran.err
    assert bench.sides == "AABBAABBAAB"
    assert ran.document["comparisons"][0]["pairs"] == 5
    assert ran.document["groups"][0]["grades"] == {"A": 5}


def test_a_dry_run_prints_both_plans(mlh: Mlh, bench: Bench) -> None:
    ran = mlh("bench", "null", "--against", "--threads 1", "--threads", "2", "--dry-run", "--json")
    assert [plan["framework"]["threads"] for plan in ran.document["plans"]] == [2, 1]
    assert bench.requests == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--against", "nothing"], "nothing"),
        (["--against", "null --threads x"], "--threads"),
        (["--against", "null --output here"], "there is no option --output"),
        (["--against", "null --repeat 3"], "there is no option --repeat"),
        (["--against", "null 'open"], "--against"),
        (["--against", "null null"], "unexpected extra argument"),
        (["--against", "null", "--fail-if", "slower"], "is no condition"),
        (["--fail-if", "slower:3%"], "--fail-if and --anyway are for a comparison"),
        (["--anyway"], "--fail-if and --anyway are for a comparison"),
    ],
)
def test_bad_input(mlh: Mlh, bench: Bench, words: list[str], expected: str) -> None:
    ran = mlh("bench", "null", *words)
    assert ran.code == 2
    assert expected in ran.err
    assert bench.requests == []


def test_repeated_runs_are_a_series(mlh: Mlh, bench: Bench) -> None:
    assert mlh("bench", "null", "--repeat", "3").code == 0
    assert len({request.choices.labels["mlh.series"] for request in bench.requests}) == 1
    assert mlh("bench", "null").code == 0
    assert "mlh.series" not in bench.requests[-1].choices.labels


@pytest.mark.parametrize("key", ["against", "anyway", "fail-if"])
def test_a_checkout_s_file_excuses_nothing(mlh: Mlh, bench: Bench, tmp_path: Path, key: str) -> None:
    (tmp_path / "mlharness.toml").write_text(f'[bench]\n{key} = "null"\n')
    ran = mlh("bench", "null")
    assert ran.code == 2
    assert key in ran.err
