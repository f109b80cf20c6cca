"""The Python of a published file, which follows a convention of its own. Nothing of it is executed."""

from __future__ import annotations

from mlharness.manifest.published.draft import Draft

STAGES = ("preprocess", "postprocess")


def put_steps(draft: Draft) -> None:
    """``preprocess`` and ``postprocess``, each one step of the convention ``published``."""
    for stage in STAGES:
        if draft.old.get(stage):
            put_step(draft, stage)
        elif draft.old.get(f"before_{stage}"):
            draft.refuse("missing", f"Python that defines {stage}(ctx, data)", stage)
        if draft.old.get(f"after_{stage}"):
            draft.keep((f"after_{stage}",), draft.old[f"after_{stage}"], f"after_{stage}")
            draft.warn("not run: nothing of a manifest is, once a test has ended", f"after_{stage}")


def put_step(draft: Draft, stage: str) -> None:
    """One stage; what is to be called before it stands in front of it, and is called when the code is loaded."""
    before, source = draft.old.get(f"before_{stage}"), draft.old[stage]
    origin = stage
    if before:
        origin = f"before_{stage}"
        before = f"{before.rstrip()}\n{origin}()\n"
        # So that a traceback names the right line of the file, where it can.
        gap = draft.text_lines(stage) - draft.text_lines(origin) - before.count("\n")
        source = f"{before}{chr(10) * max(0, gap)}{source}"
        draft.warn("called once, when the code is loaded; the number that it returns is not used", origin)
    draft.place((stage,), stage)
    draft.place((stage, 0), stage)
    draft.put((stage, 0, "python", "source"), source, origin)
    draft.put((stage, 0, "python", "convention"), "published", stage)


def put_dataset(draft: Draft) -> None:
    """``provider`` and ``options`` of a data set that its own Python opens."""
    draft.put(("provider",), "python", "init")
    for name in ("init", "load", "unload"):
        if draft.old.get(name):
            draft.put(("options", name), draft.old[name], name)
