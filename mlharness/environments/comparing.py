"""Whether an environment holds the kernel and plugins that run here: another code would be another measurement."""

from __future__ import annotations

from collections.abc import Mapping

from mlharness.environments.origins import Member, code_here, members
from mlharness.environments.record import Record


def code_of(record: Record | None = None) -> dict[str, str]:
    """The digest of the Python files of kernel and plugins, by name: of this environment, or of a created one."""
    here = members()
    if record is None:
        return {name: code_here(name) for name in here}
    # what is editable there is, in an environment that is used, the source tree that runs here
    return {one.name: one.code or (code_here(one.name) if one.name in here else "") for one in record.members}


def differences(record: Record, running: Mapping[str, Member] | None = None) -> list[str]:
    """In what the environment's kernel and plugins differ from those that run here; empty when they are the same.

    A plugin that only the environment has (its framework's) is no difference.
    """
    running = members() if running is None else running
    told = [difference(member, running[member.name]) for member in record.members if member.name in running]
    return [words for words in told if words]


def difference(there: Member, here: Member) -> str:
    """In what two of one name differ, in words; empty when they are the same code.

    The same source tree, editable in both, is the same, whatever is written to it. Of others the files are compared:
    a wheel that was built from a source tree is as good as the tree, until somebody edits that.
    """
    if there.version != here.version:
        return f"{there.name} is {there.version} there and {here.version} here"
    if there.origin == here.origin and there.origin.kind == "editable":
        return ""
    if there.origin.kind == "editable":
        return f"{there.name} is {there.origin.source} there, and from elsewhere here"
    return "" if there.code == code_here(here.name) else f"the code of {there.name} is another there than here"
