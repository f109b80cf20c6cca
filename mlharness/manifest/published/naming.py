"""What a model or data set is called and says of itself. Published names may hold capitals and spaces."""

from __future__ import annotations

import re

from mlharness.manifest.published.draft import Draft

_LONGEST = 100
DETAILS = "published"
"""The attribute under which that is kept for which our format has no key."""


def put_name(draft: Draft) -> None:
    """``name``, in lower case; the author's own spelling is kept."""
    name = draft.old["name"]
    plain = plain_name(name)
    if not plain:
        draft.refuse(repr(name), "a name with a letter or a digit", "name")
        return
    draft.put(("name",), plain, "name")
    if plain != name:
        draft.keep(("name",), name, "name")


def plain_name(name: str) -> str:
    """The name as it may be typed: in lower case, beginning with a letter or a digit; empty when nothing of it may."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.strip().lower()).lstrip("._-").rstrip("-")[:_LONGEST]


def put_version(draft: Draft) -> None:
    """``version`` as text. YAML reads the 1.0 of a published file as a number."""
    if "version" not in draft.old:
        draft.put(("version",), "1.0", "name")
        return
    if isinstance(draft.old["version"], str):
        draft.put(("version",), draft.old["version"], "version")
        return
    text = draft.written("version")
    draft.put(("version",), text, "version")
    draft.warn(f"a number, read as the text '{text}'", "version")


def put_descriptions(draft: Draft) -> None:
    """``description``, ``license``, ``modality`` and ``references``."""
    for key in ("description", "license", "modality"):
        if draft.old.get(key):
            text = draft.old[key].strip()
            draft.put((key,), text.replace("_", "-") if key == "modality" else text, key)
    if draft.old.get("references"):
        draft.put(("references",), draft.old["references"], "references")


def put_attributes(draft: Draft) -> None:
    """``attributes`` as they are, and the keys that our format has no place for."""
    for key, value in (draft.old.get("attributes") or {}).items():
        if key == DETAILS:
            draft.refuse("a name that mlharness keeps details of the file under", "any other name", "attributes", key)
        else:
            draft.put(("attributes", key), value, "attributes", key)
    for key in ("hidden", "container"):
        if key in draft.old:
            draft.keep((key,), draft.old[key], key)
            draft.warn("kept among the attributes; nothing of mlharness reads it", key)


def put_details(draft: Draft) -> None:
    """What was kept, behind the author's attributes."""
    for key, value, origin in draft.kept:
        draft.place(("attributes", DETAILS), *origin)
        draft.put(("attributes", DETAILS, *key), value, *origin)
