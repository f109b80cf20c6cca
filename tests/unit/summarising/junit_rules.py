"""The rules of JUnit's XML that its readers agree on, as Jenkins's schema (junit-10.xsd) has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from xml.etree import ElementTree

Element = ElementTree.Element
_ATTRIBUTES: Mapping[str, tuple[set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname", "id", "package", "file", "log"},
    ),
    "properties": (set(), set()),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname"}, {"time", "group"}),
    "failure": (set(), {"message", "type"}),
    "error": (set(), {"message", "type"}),
    "skipped": (set(), {"message", "type"}),
    "system-out": (set(), set()),
}
"""Of each element the attributes that it must have, and those that it may have."""
_CHILDREN: Mapping[str, set[str]] = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out"},
    "properties": {"property"},
    "testcase": {"skipped", "error", "failure", "system-out"},
}
OUTCOMES = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def read_junit(text: str) -> Element:
    """The root of a document that keeps the rules. Raises AssertionError, or ParseError for what is no XML 1.0."""
    root = ElementTree.fromstring(text.encode("utf-8"))  # noqa: S314  # the tests' own
    assert root.tag == "testsuites"
    for element in root.iter():
        _check(element)
    for suite in root:
        assert counts(suite) == {name: int(suite.get(name, "0")) for name in counts(suite)}
    totals = {name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors")}
    assert totals == {name: int(root.get(name, "")) for name in totals}
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)), "readers follow a case by its names"
    return root


def counts(suite: Element) -> dict[str, int]:
    """What a suite's attributes must say."""
    cases = suite.findall("testcase")
    return {"tests": len(cases)} | {
        total: sum(case.find(tag) is not None for case in cases) for tag, total in OUTCOMES.items()
    }


def outcomes(root: Element) -> Iterator[tuple[str, str, str]]:
    """Name, outcome (empty: passed) and message of every case."""
    for case in root.iter("testcase"):
        told = next((child for child in case if child.tag in OUTCOMES), None)
        yield case.get("name", ""), "" if told is None else told.tag, "" if told is None else told.get("message", "")


def _check(element: Element) -> None:
    required, optional = _ATTRIBUTES[element.tag]
    assert required <= set(element.attrib) <= required | optional, (element.tag, element.attrib)
    assert {child.tag for child in element} <= _CHILDREN.get(element.tag, set()), element.tag
    for name in ("tests", "failures", "errors", "skipped"):
        assert element.get(name, "0").isdigit()
    assert Decimal(element.get("time", "0")) >= 0
    stamp = element.get("timestamp")
    assert stamp is None or (len(stamp) == 19 and stamp[10] == "T"), "no fraction and no time zone"
    told = [child for child in element if child.tag in OUTCOMES]
    assert len(told) <= 1, "a case has one outcome"
    if element.tag == "testsuite":
        order = [child.tag for child in element]
        assert order == sorted(order, key=["properties", "testcase", "system-out"].index)
