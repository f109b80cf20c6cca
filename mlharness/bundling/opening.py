"""From a bundle to the files of a folder, every one of them held against its hash."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from mlharness import rundir
from mlharness.bundling.container import DiskError, extract_all, is_canonical, open_bundle, sha256_of
from mlharness.bundling.document import (
    AUDIT_CONF,
    DOCUMENT,
    LOCK,
    RUN,
    BundleDocument,
    PackedManifest,
    read_document,
)
from mlharness.bundling.findings import Checks
from mlharness.bundling.recomputing import BROKEN, Recorded, recompute, words
from mlharness.choices import Choices, read_choices
from mlharness.environments.locking import HEADER, WHEELS
from mlharness.errors import UserError
from mlharness.paths import data_dir

_PIN = re.compile(r"[A-Za-z0-9][\w.-]*==[\w.+!-]+ --hash=sha256:(?P<sha256>[0-9a-f]{64})\Z")
"""The only lines that a lock has beside its first two and the folder of wheels: no index, no address, no option."""


@dataclass(frozen=True)
class Opened:
    """A bundle whose members are the files of a folder; ``sha256`` is that of the bundle's own bytes."""

    path: Path
    sha256: str
    folder: Path
    document: BundleDocument

    @property
    def run(self) -> Path:
        """A copy of the run directory."""
        return self.folder / RUN

    @property
    def lock(self) -> Path | None:
        """The environment's lock; None without one."""
        return self.folder / LOCK if self.document.environment else None

    def choices(self) -> Choices:
        """What the user chose for the run. Raises UserError when the plan does not say."""
        try:
            return read_choices(msgspec.json.decode((self.run / rundir.PLAN).read_bytes())["choices"])
        except (KeyError, TypeError, msgspec.MsgspecError) as error:
            raise UserError(
                f"{self.path}: {RUN}/{rundir.PLAN} does not say what was chosen", "Bundle the run again."
            ) from error


def open_into(path: Path, folder: Path, checks: Checks) -> Opened:
    """Extract a bundle into an empty folder, and note what is not as its document says.

    Raises:
        UserError: it is no bundle, or a hostile or newer one: see :func:`~mlharness.bundling.container.open_bundle`.
    """
    with open_bundle(path) as contents:
        document = read_document(contents.read(DOCUMENT), str(path))
        found = extract_all(contents, folder)
    for name, why in found.damaged.items():
        checks.note(name, f"it is damaged: {why}")
    told = {member.name: member for member in document.members}
    for name in sorted({*told, *found.hashes} - {DOCUMENT} - set(found.damaged)):
        if name not in found.hashes:
            checks.note(name, "it is missing")
        elif name not in told:
            checks.note(name, f"{DOCUMENT} does not name it")
        elif found.hashes[name] != told[name].sha256:
            checks.note(name, f"its sha256 is {found.hashes[name]}, and {DOCUMENT} says {told[name].sha256}")
        elif (folder / name).stat().st_size != told[name].bytes:
            checks.note(name, f"it has not the {told[name].bytes} bytes that {DOCUMENT} says")
    if not found.damaged and not is_canonical(path, found.members):
        checks.note(path.name, "between its members there are bytes that mlharness did not write")
    return Opened(path, sha256_of(path), folder, document)


def check_bundle(opened: Opened, checks: Checks) -> Recorded | None:
    """Note what of an opened bundle does not go together; the files of its run, None when they are unusable."""
    run = recompute(opened.run, checks)
    if run is None:
        return None
    try:
        for where, told in relations(opened, run):
            checks.note(where, told)
    except BROKEN as error:
        checks.note(DOCUMENT, f"its parts cannot be held against each other: {words(error)}")
    return run


def relations(opened: Opened, run: Recorded) -> Iterator[tuple[str, str]]:
    """Where the document and the plan do not name the same things."""
    document, plan = opened.document, run.plan
    hashes = {member.name: member.sha256 for member in document.members}
    expected = (run.result.get("run_id"), plan.sha256, run.result.get("status"))
    if (document.run.id, document.run.plan_sha256, document.run.status) != expected:
        yield f"{DOCUMENT}: run", f"the run's files are those of {expected[0]}"
    yield from of_manifest("model", document.model, plan.model.manifest_sha256, hashes)
    yield from of_manifest("dataset", document.dataset, plan.dataset.manifest_sha256, hashes)
    planned = {file.source: file.sha256 for file in plan.model.files}
    sources = {file.source: file for file in document.files if file.use == "weights"}
    for source in planned:
        if source not in sources:
            yield f"{DOCUMENT}: files", f"{source} is missing, which the plan names"
    for file in document.files:
        if file.inside and hashes.get(file.inside) != file.sha256:
            yield f"{DOCUMENT}: files", f"{file.source} has the sha256 {file.sha256}, and {file.inside} another"
        if file.kind == "root" and (
            PurePosixPath(file.source).is_absolute() or ".." in PurePosixPath(file.source).parts
        ):
            yield f"{DOCUMENT}: files", f"{file.source} leads out of the data set's folder"
    if plan.test.audit_conf_sha256 != hashes.get(AUDIT_CONF, ""):
        yield AUDIT_CONF, "it is not the one of the plan"
    if document.environment is not None:
        yield from of_lock(opened, hashes)


def of_manifest(of: str, packed: PackedManifest, sha256: str, hashes: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A manifest is that of the plan."""
    if not packed.sha256 == sha256 == hashes.get(packed.inside):
        yield f"{DOCUMENT}: {of}", f"{packed.inside} is not the manifest of the plan, whose sha256 is {sha256}"


def of_lock(opened: Opened, hashes: dict[str, str]) -> Iterator[tuple[str, str]]:
    """A lock pins packages by hash, and says nothing else to pip; its wheels are named in it."""
    assert opened.lock is not None, "it has an environment"
    header, about, *lines = opened.lock.read_text("utf-8").splitlines() or [""] * 2
    pins = [_PIN.match(line) for line in lines if line != f"--find-links {WHEELS}"]
    if header != HEADER or not about.startswith("# ") or None in pins:
        yield LOCK, "it holds more than pinned packages with their hashes"
        return
    known = {match["sha256"] for match in pins if match}
    wheels = {name for name in hashes if name.startswith(f"{Path(LOCK).parent}/{WHEELS}/")}
    environment = opened.document.environment
    assert environment is not None, "it has a lock"
    if wheels != set(environment.wheels) or environment.lock != LOCK:
        yield f"{DOCUMENT}: environment", "it does not name the wheels that are in the bundle"
    for name in sorted(wheels):
        if hashes[name] not in known:
            yield name, "the lock does not name its hash"


def keep(opened: Opened) -> Opened:
    """Put an opened bundle where it stays, under its hash: the runs that are made of it name its files.

    Raises:
        UserError: the disk refuses.
    """
    target = data_dir().absolute() / "bundles" / opened.sha256[:16]
    partial = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not is_kept(target, opened.document):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(opened.folder, partial)
            partial.replace(target)
    except OSError as error:
        raise DiskError(
            f"{target} cannot be written: {error.strerror or error}", "Free some space, or set MLH_DATA_DIR."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Opened(opened.path, opened.sha256, target, opened.document)


def is_kept(folder: Path, document: BundleDocument) -> bool:
    """Whether a folder has all members, unchanged."""
    return all(
        (folder / member.name).is_file() and sha256_of(folder / member.name) == member.sha256
        for member in document.members
    )
