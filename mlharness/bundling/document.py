"""``bundle.json``: what a bundle says of itself, in the form of ``schemas/bundle.v1.schema.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from mlharness.errors import UserError
from mlharness.resources import resource_folder

FORMAT_VERSION = 1
"""``schema_version`` of the bundles that this mlharness writes, and the newest that it reads."""
DOCUMENT = "bundle.json"
RUN = "run"
"""The folder of the run directory's files."""
LOCK = "environment/requirements.lock"
USER_CONF, AUDIT_CONF = "conf/user.conf", "conf/audit.config"

Of = Literal["model", "dataset"]
Use = Literal["weights", "step", "metric", "data"]
Kind = Literal["package", "fetched", "path", "root"]


@dataclass(frozen=True)
class Member:
    """A file of the bundle: its path in it, the sha256 of its bytes, and how many there are."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class PackedRun:
    """Which run it is; the files of its directory say the rest."""

    id: str
    plan_sha256: str
    status: str


@dataclass(frozen=True)
class PackedManifest:
    """A manifest: its hash, where it stands in the bundle, which model of a family, and the plugin that ships it."""

    name: str
    sha256: str
    inside: str
    member: str = ""
    plugin: str = ""


@dataclass(frozen=True)
class PackedFile:
    """A file that a manifest names, by its source, with its hash.

    ``kind`` says where it comes from: a package (``pkg://``), the network, a path of the machine, or the folder of the
    data set (``--data-dir``), in which ``source`` is its path. ``inside`` is where it stands in the bundle; empty when
    it does not.
    """

    of: Of
    use: Use
    kind: Kind
    source: str
    sha256: str
    bytes: int
    inside: str = ""


@dataclass(frozen=True)
class PackedEnvironment:
    """The environment of the run: its lock, and for whom that is."""

    lock: str
    framework: str
    version: str
    python: str
    platform: str
    wheels: tuple[str, ...] = ()


@dataclass(frozen=True)
class BundleDocument:
    """The whole document. ``members`` are all files of the bundle but this one."""

    mlharness: str
    run: PackedRun
    model: PackedManifest
    dataset: PackedManifest
    files: tuple[PackedFile, ...]
    environment: PackedEnvironment | None
    members: tuple[Member, ...]
    schema_version: int = FORMAT_VERSION


def write_document(document: BundleDocument) -> bytes:
    """The document's bytes; the same for the same content."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def read_document(text: bytes, source: str) -> BundleDocument:
    """The document of a bundle. Raises UserError for a newer one, and for one that does not follow its schema."""
    import jsonschema

    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: {DOCUMENT} is damaged: {error}", AGAIN) from error
    version = loaded.get("schema_version") if isinstance(loaded, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise UserError(f"{source} is no bundle of mlharness: schema_version is {version!r}", AGAIN)
    if version > FORMAT_VERSION:
        raise UserError(
            f"{source} is a bundle of version {version}, and this mlharness reads {FORMAT_VERSION}",
            f"Upgrade mlharness: the bundle was made by {loaded.get('mlharness', 'a newer one')}.",
        )
    wrong = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema()).iter_errors(loaded))
    if wrong is not None:
        where = ".".join(map(str, wrong.absolute_path)) or "the document"
        raise UserError(f"{source}: {DOCUMENT} does not follow its schema: {where}: {wrong.message[:200]}", AGAIN)
    return msgspec.convert(loaded, BundleDocument)


def schema() -> dict[str, Any]:
    """The schema of ``bundle.json``."""
    loaded: dict[str, Any] = json.loads((resource_folder("schemas") / "bundle.v1.schema.json").read_text("utf-8"))
    return loaded


AGAIN = "Fetch the bundle again, or ask whoever made it."
