"""A summary as JSON, in the form of ``schemas/summary.v1.schema.json``: for dashboards, which want one flat list."""

from __future__ import annotations

import json
import math
from typing import Any

from mlharness.summarising.summary import Case, Summary

SUMMARY_VERSION = 1
"""``schema_version`` of the summaries that this mlharness writes."""


def to_json(summary: Summary) -> str:
    """The document as text."""
    text = json.dumps(to_document(summary), indent=2, ensure_ascii=False, allow_nan=False)
    # A byte of an argument that is no UTF-8 is half a character here; JSON writes it as Python does, with \u.
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def to_document(summary: Summary) -> dict[str, Any]:
    """The document."""
    return {
        "schema_version": SUMMARY_VERSION,
        "command": summary.command,
        "outcome": summary.outcome,
        "counts": summary.counts(),
        "started": summary.started,
        "host": summary.host,
        "mlharness": summary.version,
        "cases": list(map(_case, summary.cases)),
    }


def _case(case: Case) -> dict[str, Any]:
    figures = {
        figure.name: {"value": figure.value, "unit": figure.unit}
        for figure in case.figures
        if math.isfinite(figure.value)
    }
    return {
        "suite": case.suite,
        "name": case.name,
        "outcome": case.outcome,
        "message": case.message,
        "run_id": case.run_id or None,
        "seconds": case.seconds,
        "figures": figures,
    }
