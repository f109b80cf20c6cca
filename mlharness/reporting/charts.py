"""Charts: Vega-Lite documents, drawn in the reader's browser by the library that the page carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from markupsafe import Markup

from mlharness.errors import UserError
from mlharness.reporting.rendering import render, safe_json

MARK = '<figure class="chart"'
"""How ``templates/chart.html`` begins."""
INSTALL = "Install it: pip install 'mlharness[plots]'"


def make_chart(spec: Mapping[str, Any], told: str, caption: str | Markup = "") -> Markup:
    """The HTML of a chart.

    Args:
        spec: a Vega-Lite document with its data. Colours, fonts and background are the page's, and so is the library:
            a ``$schema`` is left out. With ``"width": "container"`` it is as wide as the page. Where it binds an
            interval selection to the scales (:func:`zoomable`), buttons zoom and reset it, as do the wheel (with Ctrl
            or Shift), dragging and a double click.
        told: what it shows, for those who cannot see it, plain text.
        caption: stands below it.
    """
    shown = {key: value for key, value in spec.items() if key not in ("$schema", "background")}
    return render("chart.html", json=safe_json(shown), told=told, caption=caption)


def zoomable(*channels: str) -> dict[str, Any]:
    """What ``params`` of a unit or of a layer's first unit hold, so that these channels (``x``, ``y``) zoom and pan."""
    zoom = "wheel![event.ctrlKey || event.shiftKey]"
    return {"name": "zoom", "select": {"type": "interval", "encodings": list(channels), "zoom": zoom}, "bind": "scales"}


@cache
def library() -> str:
    """The JavaScript of Vega, Vega-Lite and Vega-Embed, which leaves nothing in the page but ``window.vegaEmbed``.

    Raises:
        UserError: the extra ``plots`` is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        raise UserError("a page with charts needs vl-convert-python, which is not installed", INSTALL) from None
    return "(() => {" + str(vl_convert.javascript_bundle()) + "\n})();"
