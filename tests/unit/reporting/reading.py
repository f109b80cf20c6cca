"""A page as a browser would read it: its text, elements, scripts, and the data of its charts."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)></title></style><!-- \u2028 & &lt; {{ 7*7 }} ]]>"
"""A name that wants to be something else, in HTML, in a script, in JSON, or in a template."""
_VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Read(HTMLParser):
    """What stands on a page."""

    text: str = ""
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    data: list[Any] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _script: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "script":
            self._script = dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        where = self._open[-1] if self._open else ""
        if where == "script":
            (self._take_data if self._script.get("type") == "application/json" else self.scripts.append)(data)
        elif where != "style":
            self.text += data
            if self.rows and {"td", "th"} & set(self._open):
                self.rows[-1][-1] += data.strip()

    def _take_data(self, data: str) -> None:
        self.data.append(json.loads(data))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def charts(self) -> list[Any]:
        """The Vega-Lite documents."""
        return [found for found in self.data if isinstance(found, dict) and {"mark", "layer", "facet"} & set(found)]

    @property
    def titles(self) -> list[str]:
        """The anchors of the sections."""
        return [str(attributes["id"]) for attributes in self.named("section")]


def read(page: str) -> Read:
    """Read a page, and hold it against what is true of all: nothing is loaded, and nothing runs that is not ours."""
    found = Read()
    found.feed(page)
    found.close()
    assert found._open == [], "every element is closed"
    links = [str(value) for _, attributes in found.elements for name, value in attributes.items()
             if name in ("src", "href", "action", "data", "srcset", "poster")]  # fmt: skip
    assert [link for link in links if not link.startswith("#") and link != "data:,"] == []
    assert [name for _, attributes in found.elements for name in attributes if name.startswith("on")] == []
    assert not {"iframe", "object", "embed", "base", "form", "img"} & {tag for tag, _ in found.elements}
    [policy] = [str(one["content"]) for one in found.named("meta") if one.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found.scripts]
    assert rules["script-src"] == " ".join(f"'sha256-{one}'" for one in digests)
    ids = [str(attributes["id"]) for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    return found
