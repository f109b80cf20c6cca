"""A summary as JUnit's XML: one ``testsuite`` for each suite, and elements in the order of Jenkins's schema."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from mlharness.summarising.summary import Case, Summary

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even as a reference."""
_ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def to_junit(summary: Summary) -> str:
    """The document, in UTF-8 once it is written."""
    root = ElementTree.Element("testsuites", _counted(summary.command, summary.cases, root=True))
    ordered = sorted(summary.cases, key=lambda case: _first(summary.cases, case.suite))
    for name, cases in groupby(ordered, lambda case: case.suite):
        root.append(_suite(name, list(cases), summary))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _first(cases: Sequence[Case], suite: str) -> int:
    return next(place for place, case in enumerate(cases) if case.suite == suite)


def _suite(name: str, cases: Sequence[Case], summary: Summary) -> ElementTree.Element:
    about = {"timestamp": summary.started[:19], "hostname": clean(summary.host)}
    suite = ElementTree.Element("testsuite", _counted(name, cases) | about)
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("command", summary.command), ("mlharness", summary.version)):
        ElementTree.SubElement(properties, "property", name=key, value=clean(value))
    suite.extend(map(_case, cases))
    return suite


def _case(case: Case) -> ElementTree.Element:
    element = ElementTree.Element("testcase", classname=clean(case.suite), name=clean(case.name))
    if case.seconds is not None:
        element.set("time", f"{case.seconds:.3f}")
    details = [f"{name}: {text}" for name, text in case.details]
    if case.outcome in _ELEMENTS:
        told = ElementTree.SubElement(element, _ELEMENTS[case.outcome], message=clean(" ".join(case.message.split())))
        if case.outcome != "skipped":
            told.set("type", case.outcome)
            told.text = clean("\n".join((case.message, *details)))  # what readers show first
            return element
    if details:
        ElementTree.SubElement(element, "system-out").text = clean("\n".join(details))
    return element


def _counted(name: str, cases: Sequence[Case], root: bool = False) -> dict[str, str]:
    count = {outcome: sum(case.outcome == outcome for case in cases) for outcome in _ELEMENTS}
    attributes = {
        "name": clean(name),
        "tests": str(len(cases)),
        "failures": str(count["failed"]),
        "errors": str(count["error"]),
    }
    times = [case.seconds for case in cases if case.seconds is not None]
    if times:
        attributes["time"] = f"{sum(times):.3f}"
    return attributes if root else attributes | {"skipped": str(count["skipped"])}


def clean(text: str) -> str:
    """The text with every character that XML 1.0 forbids shown as an escape."""
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)
