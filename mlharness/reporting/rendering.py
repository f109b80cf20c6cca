"""HTML of templates, in which everything is escaped, and data that a page carries."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
_UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


@cache
def environment() -> Environment:
    """Jinja2 over ``templates/``: everything is escaped, and a name that is not there is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["mlharness_version"] = version("mlharness")
    return made


def render(template: str, /, **values: Any) -> Markup:
    """HTML of a template; values that are no ``Markup`` are escaped."""
    return Markup(environment().get_template(template).render(**values))  # noqa: S704  # the template has escaped them


def asset(name: str) -> str:
    """A script or a style sheet of ``templates/``, as it is."""
    return (TEMPLATES / name).read_text("utf-8")


def safe_json(value: Any) -> str:
    """JSON that can stand in a ``<script>``: pure ASCII, without ``<``, ``>`` and ``&``.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).translate(_UNSAFE)


def embed_json(identifier: str, value: Any) -> Markup:
    """A block of data, which ``mlh.data(identifier)`` reads. Raises ValueError for a number that is not finite."""
    return render("data.html", identifier=identifier, json=safe_json(value))
