"""Where installed kernel and plugins came from, so that another environment gets the very same.

PEP 610 tells: a source tree (editable or not), an archive, a repository; nothing told means the index.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from mlharness.errors import UserError
from mlharness.plugins import GROUP, canonical

Kind = Literal["editable", "folder", "archive", "url", "index"]


@dataclass(frozen=True)
class Origin:
    """How a distribution was installed; ``source`` is a path, or for ``url`` what pip takes after ``@``."""

    kind: Kind
    source: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.source}".strip()

    @property
    def local(self) -> bool:
        """True for what no index has: a source tree or a file of this machine."""
        return self.kind in ("editable", "folder", "archive")


@dataclass(frozen=True)
class Member:
    """The kernel or a plugin in an environment; ``code`` is the digest of its Python files.

    ``code`` is empty for an editable one, whose files are its source tree's, whatever becomes of them.
    """

    name: str
    version: str
    origin: Origin
    code: str = ""


def origin_of(distribution: metadata.Distribution) -> Origin:
    """Where a distribution came from, as its ``direct_url.json`` says."""
    text = distribution.read_text("direct_url.json")
    return read_direct_url(json.loads(text)) if text else Origin("index")


def read_direct_url(document: Mapping[str, Any]) -> Origin:
    """The origin that a PEP 610 document describes."""
    url = str(document["url"])
    below = f"#subdirectory={document['subdirectory']}" if "subdirectory" in document else ""
    if "vcs_info" in document:
        vcs = document["vcs_info"]
        return Origin("url", f"{vcs['vcs']}+{url}@{vcs['commit_id']}{below}")
    if not url.startswith("file:"):
        return Origin("url", url + below)
    path = unquote(urlsplit(url).path)
    if "dir_info" in document:
        return Origin("editable" if document["dir_info"].get("editable") else "folder", path)
    return Origin("archive", path)


def members(site: Path | None = None) -> dict[str, Member]:
    """The kernel and every plugin that are installed, by canonical name, without the digests of their code.

    Args:
        site: the ``site-packages`` of another environment; None for the one that runs this.
    """
    found: dict[str, Member] = {}
    for distribution in distributions(site):
        name = canonical(distribution.name)
        if top_levels(distribution) and name not in found:  # the first on the path is the one that is imported
            found[name] = Member(name, distribution.version, origin_of(distribution))
    return found


def with_code(member: Member, site: Path) -> Member:
    """A member of another environment with the digest of its code."""
    if member.origin.kind == "editable":
        return member
    tops = next(top_levels(one) for one in distributions(site) if canonical(one.name) == member.name)
    return replace(member, code=digest(here(site, tops)))


def code_here(name: str) -> str:
    """The digest of the code of a member of the environment that runs this, as it is now."""
    return digest(map(path_of, top_levels(metadata.distribution(name))))


def distributions(site: Path | None = None) -> Iterable[metadata.Distribution]:
    """What is installed in this environment, or in the one of that ``site-packages``; broken metadata is left out."""
    found = metadata.distributions() if site is None else metadata.distributions(path=[str(site)])
    return (one for one in found if named(one))


def named(distribution: metadata.Distribution) -> bool:
    """Whether a distribution has a name; what a half-removed one answers differs between versions of Python."""
    try:
        return bool(distribution.metadata["Name"])
    except (AttributeError, KeyError, TypeError, OSError):
        return False


def top_levels(distribution: metadata.Distribution) -> list[str]:
    """The packages or modules in which a distribution's plugins stand; empty when it has none."""
    return sorted({entry.module.split(".")[0] for entry in distribution.entry_points if entry.group == GROUP})


def here(site: Path, tops: Iterable[str]) -> list[Path | None]:
    """The folder or file of each top-level module of another environment."""
    return [next((path for path in (site / top, site / f"{top}.py") if path.exists()), None) for top in tops]


def path_of(top: str) -> Path | None:
    """The folder or file of a top-level module of this environment; finding it does not import it."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module that a test or a tool has put there without a spec
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    return Path(folders[0]) if folders else Path(spec.origin or "")


def digest(paths: Iterable[Path | None]) -> str:
    """The sha256 over every Python file: its path below the package, and its bytes."""
    hashed = hashlib.sha256()
    for top in paths:
        if top is None:
            continue
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            hashed.update(f"{path.relative_to(top.parent).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return hashed.hexdigest()


def words_for_pip(member: Member, extra: str = "") -> list[str]:
    """What ``pip install`` is told to get this member again. Raises UserError when its source is gone."""
    origin, extras = member.origin, f"[{extra}]" if extra else ""
    if origin.kind == "index":
        return [f"{member.name}{extras}=={member.version}"]
    if origin.kind == "url":
        return [f"{member.name}{extras} @ {origin.source}"]
    if not Path(origin.source).exists():
        raise UserError(
            f"{member.name} was installed from {origin.source}, which is gone",
            f"Install {member.name} again where mlh runs, from a place that stays.",
        )
    source = f"{origin.source}{extras}"
    return ["--editable", source] if origin.kind == "editable" else [source]
