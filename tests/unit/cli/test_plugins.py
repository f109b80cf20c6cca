"""``mlh plugins`` with the fake plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import install_fakes
from tests.unit.cli.conftest import Mlh

ALL = ("good", "missing-import", "newer-api", "raising", "raising-observer", "twin-one", "twin-two", "wrong-signature")


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_fakes(monkeypatch, tmp_path / "site", *ALL)


def rows(document: Any) -> dict[str, Any]:
    return {row["name"].removeprefix("mlh-fake-"): row for row in document["plugins"]}


def test_json_tells_all_of_every_plugin(mlh: Mlh) -> None:
    ran = mlh("plugins", "--json")
    found = rows(ran.document)
    assert ran.code == 0
    assert found["good"] == {
        "name": "mlh-fake-good",
        "version": "1.2.3",
        "distribution": "mlh-fake-good",
        "builtin": False,
        "state": "loaded",
        "error": None,
        "provides": {"framework": ["fake"], "step": ["fake.same"]},
        "observes": ["mlh_on_run_finished"],
    }
    assert {name: found[name]["state"] for name in ALL if found[name]["state"] == "error"}.keys() == {
        "missing-import", "newer-api", "raising", "wrong-signature",
    }  # fmt: skip
    twins = {"kind": "framework", "name": "twin", "plugins": ["mlh-fake-twin-one", "mlh-fake-twin-two"]}
    assert twins in ran.document["conflicts"]


def test_the_table_is_one_whole_line_per_plugin_when_piped(mlh: Mlh) -> None:
    ran = mlh("plugins")
    lines = {line.split()[0]: line for line in ran.out.splitlines()}
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert lines["mlh-fake-good"].split()[1:4] == ["1.2.3", "mlh-fake-good", "loaded"]
    assert lines["mlh-fake-good"].endswith("framework fake; step fake.same; mlh_on_run_finished")
    assert "ModuleNotFoundError" in lines["mlh-fake-missing-import"]
    assert "needs hook API 99" in lines["mlh-fake-newer-api"]
    assert "framework 'twin' is provided by mlh-fake-twin-one and mlh-fake-twin-two" in ran.err


def test_blocking_is_shown_and_ends_the_conflict(mlh: Mlh) -> None:
    ran = mlh("plugins", "--json", "--block", "mlh_fake_twin_one", "--block", "mlh-fake-good")
    found = rows(ran.document)
    assert found["twin-one"]["state"] == found["good"]["state"] == "blocked"
    assert found["good"]["provides"] == {}
    assert "twin" not in {conflict["name"] for conflict in ran.document["conflicts"]}


def test_an_unknown_name_to_block_is_answered(mlh: Mlh) -> None:
    ran = mlh("plugins", "--json", "--block", "mlh-fake-goood")
    assert ran.code == 2
    assert ran.document["error"]["remedy"].startswith("Did you mean 'mlh-fake-good'?")


def test_quiet_leaves_the_notes_out(mlh: Mlh) -> None:
    assert mlh("plugins", "-q").err == ""
