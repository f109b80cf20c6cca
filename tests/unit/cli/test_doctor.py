"""``mlh doctor``: what it prints and leaves with."""

from __future__ import annotations

import pytest

from mlharness import doctor
from mlharness.doctor import Check
from tests.unit.cli.conftest import Mlh

ROWS = [Check("swap", "none"), Check("turbo", "on", "warn", "Turn it off.")]
BLOCKING = Check("framework", "none that runs a model", "bad", "Install one.", blocking=True)


def examined(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> None:
    monkeypatch.setattr(doctor, "examine", lambda plugins, block: list(checks))


def test_the_table_has_a_row_a_check(monkeypatch: pytest.MonkeyPatch, mlh: Mlh) -> None:
    examined(monkeypatch, *ROWS)
    ran = mlh("doctor")
    assert ran.code == 0
    assert ran.err == ""
    assert [line.split() for line in ran.out.splitlines()] == [
        ["CHECK", "STATUS", "FINDING", "REMEDY"],
        ["swap", "ok", "none"],
        ["turbo", "warn", "on", "Turn", "it", "off."],
    ]


def test_json_has_the_same(monkeypatch: pytest.MonkeyPatch, mlh: Mlh) -> None:
    examined(monkeypatch, *ROWS)
    ran = mlh("doctor", "--json")
    assert ran.code == 0
    assert ran.document == {
        "checks": [
            {"check": "swap", "finding": "none", "status": "ok", "remedy": ""},
            {"check": "turbo", "finding": "on", "status": "warn", "remedy": "Turn it off."},
        ]
    }


def test_when_nothing_can_run_the_table_comes_first_and_the_code_is_2(
    monkeypatch: pytest.MonkeyPatch, mlh: Mlh
) -> None:
    examined(monkeypatch, *ROWS, BLOCKING)
    ran = mlh("doctor")
    assert ran.code == 2
    assert "turbo" in ran.out
    assert ran.err == "Error: nothing can run: framework: none that runs a model\nInstall one.\n"


def test_when_nothing_can_run_json_has_the_error_and_the_checks(monkeypatch: pytest.MonkeyPatch, mlh: Mlh) -> None:
    examined(monkeypatch, *ROWS, BLOCKING)
    ran = mlh("doctor", "--json")
    assert ran.code == 2
    assert ran.document["error"]["remedy"] == "Install one."
    assert [row["check"] for row in ran.document["checks"]] == ["swap", "turbo", "framework"]


def test_a_misspelt_plugin_is_answered(mlh: Mlh) -> None:
    assert mlh("doctor", "--block", "no-such-plugin").code == 2
