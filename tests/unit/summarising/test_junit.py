"""JUnit's XML: its rules, its counts, and whatever names may hold."""

from __future__ import annotations

import sys

from mlharness.summarising.junit import clean, to_junit
from mlharness.summarising.summary import Case, told_apart
from tests.unit.summarising.junit_rules import outcomes, read_junit
from tests.unit.summarising.making import HOSTILE, a_summary, every_outcome


def test_each_outcome_has_its_element() -> None:
    root = read_junit(to_junit(a_summary(*every_outcome())))
    assert list(outcomes(root)) == [
        ("fine", "", ""),
        ("too short", "failure", "min duration: 1 s of 2 s"),
        ("broken", "error", "boom"),
        ("p99", "skipped", "not enough data"),
    ]
    assert {name: root.get(name) for name in ("name", "tests", "failures", "errors")} == {
        "name": "mlh bench null", "tests": "4", "failures": "1", "errors": "1",
    }  # fmt: skip


def test_a_suite_stands_together_and_says_when_and_where() -> None:
    runs, metrics = read_junit(to_junit(a_summary(*every_outcome())))
    assert (runs.get("name"), metrics.get("name")) == ("runs", "metrics")
    assert (runs.get("timestamp"), runs.get("hostname"), runs.get("time")) == ("2026-03-01T10:00:00", "desk", "1.500")
    properties = {one.get("name"): one.get("value") for one in runs.iter("property")}
    assert properties == {"command": "mlh bench null", "mlharness": "0.1.0"}
    assert runs.findtext("testcase/system-out") == "latency: 1 ms"
    assert runs.findtext("testcase/error") == "boom\nremedy: Mend it."


def test_no_cases_are_a_document_too() -> None:
    assert len(read_junit(to_junit(a_summary()))) == 0


def test_hostile_words_come_back_as_they_were_or_as_escapes() -> None:
    case = Case(HOSTILE, HOSTILE, "failed", HOSTILE, [(HOSTILE, HOSTILE)])
    root = read_junit(to_junit(a_summary(case, command=HOSTILE)))
    (found,) = root.iter("testcase")
    assert found.get("name") == clean(HOSTILE)
    assert clean(HOSTILE).startswith("<b>|evil|</b>")
    assert "\\x00\\x1b[31m\\x07\\ud800\\uffff" in clean(HOSTILE)


def test_every_character_that_xml_forbids_is_escaped() -> None:
    whole = "".join(map(chr, (*range(0x300), *range(0xD700, 0xE100), *range(0xFF00, 0x10100), sys.maxunicode)))
    (case,) = read_junit(to_junit(a_summary(Case("s", whole)))).iter("testcase")
    assert case.get("name") == clean(whole)
    assert clean("plain ü 漢 😀\t\n") == "plain ü 漢 😀\t\n"


def test_cases_of_one_name_are_numbered() -> None:
    cases = told_apart([Case("s", "a"), Case("s", "b"), Case("s", "a"), Case("t", "a"), Case("s", "a")])
    found = [case.get("name") for case in read_junit(to_junit(a_summary(*cases))).iter("testcase")]
    assert found == ["a", "b", "a (2)", "a (3)", "a"]
