"""Exact versions say what a model was written for; ranges are semantic versioning's, and become PEP 440's."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from mlharness.manifest.published.versions import Wish, read_version


@pytest.mark.parametrize("text", ["1.14.0", "=1.14.0", "==1.14.0", "v1.14.0", " 1.14.0 "])
def test_an_exact_version_does_not_bind(text: str) -> None:
    assert read_version(text) == Wish(written_for="1.14.0")


@pytest.mark.parametrize("text", ["", "*", "x", "latest", "^*", ">=*"])
def test_any_version(text: str) -> None:
    assert read_version(text) == Wish()


# The ranges' ends are those of the documentation of npm's semver.
@pytest.mark.parametrize(
    ("text", "specifier"),
    [
        (">=1.5.0", ">=1.5.0"),
        (">= 1.5.0", ">=1.5.0"),
        ("=>1.5.0", ">=1.5.0"),
        ("^1.8", ">=1.8,<2"),
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0.x", ">=0,<1"),
        ("^1.x", ">=1,<2"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("~>1.2.3", ">=1.2.3,<1.3"),
        ("~=1.8", "~=1.8"),
        ("1.2.x", "==1.2.*"),
        ("1.X", "==1.*"),
        ("1.2.*", "==1.2.*"),
        ("!=1.2.x", "!=1.2.*"),
        ("!=1.2.3", "!=1.2.3"),
        (">1.2", ">=1.3"),
        (">1.2.3", ">1.2.3"),
        ("<=1.2", "<1.3"),
        ("<=1.2.3", "<=1.2.3"),
        ("<2", "<2"),
        (">=1.2, <3", ">=1.2,<3"),
        (">=1.2 <3.0.0", ">=1.2,<3.0.0"),
        ("1.2.3 - 2.3.4", ">=1.2.3,<=2.3.4"),
        ("1.2 - 2.3", ">=1.2,<2.4"),
        (">=1.8.0-rc.1", ">=1.8.0-rc.1"),
    ],
)
def test_a_range_binds(text: str, specifier: str) -> None:
    found = read_version(text)
    assert found == Wish(specifier)
    SpecifierSet(found.specifier)


@pytest.mark.parametrize(
    "text",
    ["new", "1.x.y", ">=", ">=1.5 or so", "1..2", "^1.2.3.4.five", "~~1", "1.0 - ", ">=99999999999", "1.8;", "٣"],
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (range|version)"):
        read_version(text)
