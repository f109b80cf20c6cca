"""Pages of the server: those of reports, with a bar of links above, forms, and the store's name below."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from markupsafe import Markup

from mlharness.reporting import rendering
from mlharness.reporting.page import digest

TEMPLATES = Path(__file__).parent / "templates"
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
_TOP = '<header class="top">'
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"
"""The policy of an answer that has none of its own."""


@cache
def environment() -> Environment:
    """Jinja2 over this package's templates, then those of reports."""
    reports = rendering.environment()
    return reports.overlay(loader=ChoiceLoader([FileSystemLoader(TEMPLATES), *filter(None, [reports.loader])]))


def render(template: str, /, **values: Any) -> Markup:
    """HTML of a template; values that are no ``Markup`` are escaped."""
    return Markup(environment().get_template(template).render(**values))  # noqa: S704  # the template has escaped them


def asset(name: str) -> str:
    """A script or a style sheet of this package, as it is."""
    return (TEMPLATES / name).read_text("utf-8")


def page(template: str, title: str, *, here: str = "", scripts: tuple[str, ...] = (), **values: Any) -> str:
    """The text of a page.

    Args:
        template: one that extends ``frame.html``.
        title: of the document, plain text.
        here: the link of the bar that leads here.
        scripts: the project's own, beside those that every page has.
        values: what else the template wants.
    """
    run = (rendering.asset("page.js"), *scripts)
    made = render(
        template,
        title=title,
        kind="",
        sections=(),
        policy=policy(run),
        styles=[Markup(rendering.asset("page.css")), Markup(asset("serving.css"))],  # noqa: S704  # the project's own
        scripts=[Markup(text) for text in run],  # noqa: S704
        **values,
    )
    return with_bar(made, here)


def policy(scripts: tuple[str, ...]) -> str:
    """The Content-Security-Policy of a page with these scripts: nothing else runs, and forms lead nowhere but here."""
    hashes = " ".join(f"'sha256-{digest(text)}'" for text in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'self'"
    )


def with_bar(report: str, here: str = "", below: Markup | str = "") -> str:
    """A report, which is a page of its own, with the bar of links above it, and perhaps something ``below`` that."""
    bar = render("bar.html", here=here, below=below, style=Markup(asset("bar.css")))  # noqa: S704  # the project's own
    return str.replace(report, _TOP, f"{bar}\n{_TOP}", 1)  # a Markup would escape the bar


def policy_of(text: str) -> str:
    """The policy that a page names for itself, for its header as well."""
    found = _POLICY.search(text)
    return found[1].replace("&#39;", "'") if found else NOTHING
