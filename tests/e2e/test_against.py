"""``mlh bench A --against B`` and ``mlh compare`` with real runs of the null model."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.conftest import MLH, Bench


def results(root: Path) -> list[dict[str, Any]]:
    """The results under a root, the earliest first."""
    found = [json.loads(path.read_text("utf-8")) for path in root.glob("*/result.json")]
    return sorted(found, key=lambda result: str(result["started"]))


def test_runs_in_turns_are_recorded_and_compared(bench: Bench, environment: Mapping[str, str]) -> None:
    ran = bench("null", "--against", "--batch-size 8", "--repeat", "2", "--duration", "0.2", "--json")
    assert ran.code == 0, ran.err
    (comparison,) = ran.document["comparisons"]
    assert (comparison["design"], comparison["pairs"], comparison["verdict"]) == ("pairs", 2, "not enough data")
    assert [found["name"] for found in comparison["differences"]] == ["batch_size"]

    recorded = results(ran.root)
    assert [result["framework"]["batch_size"] == 8 for result in recorded] == [False, True, True, False]
    assert [result["labels"]["mlh.pair"] for result in recorded] == ["1", "1", "2", "2"]

    names = [f"series:{result['run_id']}" for result in recorded[:2]]
    again = subprocess.run(
        [*MLH, "compare", *names, "--json"], capture_output=True, text=True, env=environment, check=True
    )
    assert json.loads(again.stdout)["comparisons"][0]["metrics"] == comparison["metrics"]


def test_other_data_is_unfair_after_the_first_pair(bench: Bench) -> None:
    ran = bench("null", "--against", "--count 7", "--repeat", "2", "--duration", "0.2", "--json")
    assert ran.code == 2
    assert "other data (samples)" in ran.document["error"]["message"]
    assert len(results(ran.root)) == 2
