"""The framework of a published model, as its author spells it, and its version."""

from __future__ import annotations

from mlharness.manifest.published.draft import Draft
from mlharness.manifest.published.versions import read_version

_NAMES = {"pytorch": "torch", "tensorflow": "tensorflow", "mxnet": "mxnet", "onnxruntime": "onnxruntime"}
"""Our names, by the published ones in lower case; any other stays, for the plugin that knows it."""


def put_framework(draft: Draft) -> None:
    """``framework``: its name, and a range that binds or the version that the model was written for."""
    name = draft.old["framework"]["name"]
    draft.place(("framework",), "framework")
    draft.put(("framework", "name"), _NAMES.get(name.strip().lower(), name), "framework", "name")
    put_version(draft, name)
    if "container" in draft.old["framework"]:
        draft.keep(("containers",), draft.old["framework"]["container"], "framework", "container")


def put_version(draft: Draft, framework: str) -> None:
    """``framework.version`` of a range, ``framework.written_for`` of an exact version."""
    if draft.old["framework"].get("version") is None:
        return
    origin = ("framework", "version")
    text = draft.written(*origin)
    if "||" in text:  # which PEP 440 cannot say
        draft.keep(("framework_version",), text, *origin)
        draft.warn(f"{text!r} does not bind: only one range can", *origin)
        return
    try:
        wish = read_version(text)
    except ValueError:
        draft.refuse(repr(text), "an exact version, or a range as '>=1.5', '^1.8', '~1.8.1' or '1.8.x'", *origin)
        return
    if wish.written_for:
        draft.put(("framework", "written_for"), wish.written_for, *origin)
        draft.warn(f"an exact version is what the model was written for: any {framework} will do", *origin)
    elif wish.specifier:
        draft.put(("framework", "version"), wish.specifier, *origin)
        if wish.specifier != text.replace(" ", ""):
            draft.warn(f"{text!r} is read as {wish.specifier!r}", *origin)
