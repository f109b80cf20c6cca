"""``mlh analyze --slowest``, ``--query`` and ``--explain`` as people and programs see them; ``bench --leveled``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlharness.cli.exits import ExitCode
from mlharness.trace.levels import LEVELS
from tests.traces import Delay, make_run
from tests.unit.cli.conftest import Mlh


@pytest.fixture
def run(tmp_path: Path) -> str:
    slow = Delay(preempted=200_000, layers={"conv2": 100_000})
    return str(make_run(tmp_path / "runs", queries=9, delays={4: slow, 6: Delay(scheduled=50_000)}))


def test_the_slowest_query_is_shown_with_its_tree(mlh: Mlh, run: str) -> None:
    ran = mlh("analyze", run, "--slowest", "1")
    assert ran.code == ExitCode.DONE
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == "median query, number 5: 1.03 ms; 9 queries in all"
    assert "query 4: 1.33 ms, +300 us against the median query" in lines
    assert "in all: its thread was preempted +200 us, took longer itself +100 us" in lines
    assert "+200 us its thread was preempted batch > predict" in lines
    assert "+100 us took longer itself batch > predict > model_run > conv2" in lines
    assert "├── predict 1.3 ms 97 % +300 us, preempted 200 us" in lines
    assert any("conv2 [Conv] 400 us 30 % +100 us" in line for line in lines)
    assert any(line.endswith("(2 more: 15 us, 0 ns)") for line in lines)


def test_a_span_that_only_one_of_the_two_has_is_told(mlh: Mlh, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", queries=3, delays={0: Delay(scheduled=50_000), 1: Delay(scheduled=60_000)})
    assert "schedule  50 us" in mlh("analyze", str(run), "--query", "0").out
    assert "(schedule: only in the median, 50 us)" in mlh("analyze", str(run), "--query", "2").out


def test_queries_as_json(mlh: Mlh, run: str) -> None:
    found = mlh("analyze", run, "--slowest", "1", "--percentile", "99", "--query", "0", "--json").document
    assert [one["number"] for one in found["chosen"]] == [4, 0]
    assert found["median"] == {"number": 5, "duration_ns": 1_035_000}


def test_a_verdict_in_words(mlh: Mlh, run: str) -> None:
    out = mlh("analyze", run, "--explain").out
    assert out.startswith("tiny on null, SingleStream: 96 % of a query's latency is spent in predict.\n")
    assert "Little's law: 1 queries in the traced run, one at a time; in the measured one, where" in out
    assert "layers: 2 layers of type Conv take 78 % of the layers' time." in out
    assert "change:   --threads 2\n   gain:     a query's latency 2.00 times better: at best, 2 / 1" in out
    assert (
        "Not judged:\n- roofline (whether operations or memory limit the layers): the run was made on testhost" in out
    )


def test_a_verdict_as_json(mlh: Mlh, run: str) -> None:
    found = mlh("analyze", run, "--explain", "--json").document
    assert found["headline"].startswith("tiny on null")
    assert {"rule", "verdict", "evidence", "change", "gain", "no_gain", "weight"} == set(found["findings"][0])


def test_a_trace_without_queries_has_no_shares(mlh: Mlh, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", levels=LEVELS[:1])
    ran = mlh("analyze", str(run), "--explain")
    assert ran.code == ExitCode.DONE
    assert "without the levels application and model nobody knows where the time goes" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain", "--slowest", "1"], "--explain and --slowest, --percentile and --query are two questions"),
        (["A3", "--explain"], "--explain and the analysis 'A3' are two questions"),
        (["--slowest", "1", "--sql", "SELECT 1"], "--slowest, --percentile and --query and --sql are two questions"),
        (["--explain", "--format", "csv"], "--explain: there is no table for --format csv"),
        (["--query", "77"], "--query 77: the trace has no such query"),
    ],
)
def test_one_question_at_a_time(mlh: Mlh, run: str, arguments: list[str], message: str) -> None:
    ran = mlh("analyze", run, *arguments)
    assert ran.code == ExitCode.INPUT
    assert message in ran.err


def test_leveled_needs_levels(mlh: Mlh) -> None:
    ran = mlh("bench", "null", "--leveled")
    assert ran.code == ExitCode.INPUT
    assert "--leveled: there is no level to measure\nSay which: --trace full --leveled." in ran.err
