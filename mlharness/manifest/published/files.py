"""The files of a published model: its graph, its weights, an archive of both, and the labels, which nothing fetches."""

from __future__ import annotations

from mlharness.manifest.published.draft import Draft

_MD5_DIGITS = 32


def put_files(draft: Draft) -> None:
    """``model.files``: the graph, then the weights."""
    draft.place(("model",), "model")
    model = draft.old["model"]
    if model.get("is_archive") and not model.get("base_url"):
        draft.refuse("missing", "the address of the archive, since is_archive is true", "model", "base_url")
        return
    kinds = [kind for kind in ("graph", "weights") if model.get(f"{kind}_path")]
    for index, kind in enumerate(kinds):
        put_file(draft, index, kind)
    for key in ("features_path", "features_checksum"):
        if model.get(key):
            draft.keep((key,), model[key], "model", key)


def put_file(draft: Draft, index: int, kind: str) -> None:
    """One file; of an archive, the checksum is the archive's, and stands with the graph."""
    model, origin = draft.old["model"], ("model", f"{kind}_path")
    key, path = ("model", "files", index), model[f"{kind}_path"].strip()
    archived = bool(model.get("is_archive"))
    draft.place(("model", "files"), "model")
    draft.place(key, *origin)
    if archived:
        draft.put((*key, "source"), model["base_url"].strip(), "model", "base_url")
    else:
        draft.put((*key, "source"), joined(model.get("base_url") or "", path), *origin)
    place = ("model", "base_url") if archived else origin
    if draft.written(*place).strip().lower().startswith("http://"):
        draft.warn("plain http, which anyone on the way can change: a run needs --allow-http", *place)
    put_checksum(draft, key, "graph_checksum" if archived else f"{kind}_checksum")
    if archived:
        draft.put((*key, "member"), path.removeprefix("./"), *origin)


def joined(base: str, path: str) -> str:
    """The address of a file: its path, behind a base address if there is one and the path is none itself."""
    return f"{base.strip().rstrip('/')}/{path}" if base.strip() and "://" not in path else path


def put_checksum(draft: Draft, key: tuple[str | int, ...], name: str) -> None:
    """``md5``, or ``sha256`` for so many digits; none where none is given."""
    digits = draft.written("model", name).strip().lower() if draft.old["model"].get(name) else ""
    if digits:
        kind = "md5" if len(digits) == _MD5_DIGITS else "sha256"
        draft.put((*key, kind), digits, "model", name)
        if kind == "md5":
            draft.warn("an md5 can be forged: write the file's sha256", "model", name)
