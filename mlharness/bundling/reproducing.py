"""The run of a bundle, made again: the same plan of the same manifests, weights and data, here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlharness import rundir
from mlharness.bundling.container import sha256_of
from mlharness.bundling.document import AUDIT_CONF, USER_CONF, PackedFile, PackedManifest
from mlharness.bundling.environment import this_platform
from mlharness.bundling.opening import Opened
from mlharness.bundling.recomputing import leaves, shown
from mlharness.data_root import ROOT
from mlharness.environments.creating import Telling
from mlharness.environments.rebuilding import create_from, read_lock
from mlharness.environments.record import Record
from mlharness.errors import TrustError, UserError
from mlharness.manifest.files import resolve
from mlharness.manifest.library import Kind, ManifestLibrary
from mlharness.manifest.trust import Trust
from mlharness.plan import RunPlan
from mlharness.plugins import Plugins, canonical
from mlharness.registrars import Catalog
from mlharness.request import Request, prepare
from mlharness.store.reading import read_json
from mlharness.supervise import Watch

LABEL = "mlh.reproduces"
"""The label of a run that was made of a bundle: the run of the bundle."""


@dataclass(frozen=True)
class Permissions:
    """What the user allows and knows: the bundle's code, plain http, and where the data set's files are."""

    trust: bool = False
    allow_http: bool = False
    data_dir: Path | None = None


def request_of(
    opened: Opened, plugins: Plugins, allowed: Permissions, root: Path, blocked: tuple[str, ...] = ()
) -> Request:
    """What was asked for, asked again. Raises UserError as :func:`mlharness.request.prepare` does."""
    library = ManifestLibrary(plugins.catalog)
    model = manifest_of("model", opened, opened.document.model, library)
    dataset = manifest_of("dataset", opened, opened.document.dataset, library)
    confs = [path if path.is_file() else None for path in (opened.folder / USER_CONF, opened.folder / AUDIT_CONF)]
    choices = replace(
        opened.choices(),
        dataset=dataset, user_conf=confs[0], audit_conf=confs[1], data_dir=allowed.data_dir, system_description=None,
        trust=allowed.trust, allow_http=allowed.allow_http, labels={LABEL: opened.document.run.id}, trace=(),
        leveled=False,
    )  # fmt: skip
    return prepare(model, choices, plugins, root, blocked)


def manifest_of(kind: Kind, opened: Opened, packed: PackedManifest, library: ManifestLibrary) -> str:
    """The path of a manifest: that of a plugin that ships the very same file, which is trusted; else the bundle's."""
    shipped = (file.path for file in library.shipped(kind) if sha256_of(file.path) == packed.sha256)
    path = next(shipped, opened.folder / packed.inside)
    return f"{path}#{packed.member}" if packed.member else str(path)


def plan_of(request: Request, watch: Watch, log: Path) -> RunPlan:
    """The plan, with every file fetched and hashed. Raises UserError for a file that cannot be had."""
    return request.plan(request.fetch(watch, log))


def plan_differences(opened: Opened, plan: RunPlan) -> list[str]:
    """In what a plan is not that of the bundle; empty when it is the same."""
    told = read_json(opened.run / rundir.PLAN)
    if plan.sha256 == opened.document.run.plan_sha256:
        return []
    aside = ("host", "labels", "choices", "schema_version", "plan_sha256")
    one, other = (
        leaves({key: value for key, value in document.items() if key not in aside})
        for document in (told, json.loads(json.dumps(plan.document())))
    )
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key) or (key in one) != (key in other)]
    return [f"{key} was {shown(one, key)}, and is {shown(other, key)} here" for key in keys]


def file_differences(opened: Opened, request: Request, catalog: Catalog) -> Iterator[str]:
    """Files of the data set, the steps and the metric that are not here, or not the same."""
    files = [file for file in opened.document.files if file.use != "weights"]  # the plan has their hashes
    root = root_of(request) if any(file.kind == "root" for file in files) else None
    for file in files:
        try:
            path = path_of(file, request, root, catalog)
        except UserError as error:
            yield f"{file.source} is not here: {error.message}"
            continue
        if path is None or not path.is_file():
            yield f"{file.source} is not here"
        elif sha256_of(path) != file.sha256:
            yield f"{file.source} is another file here: its sha256 was {file.sha256}, and is {sha256_of(path)}"


def root_of(request: Request) -> Path:
    """The folder of the data set's files. Raises UserError when nobody names it."""
    plan = request.plan_without_fetching()
    named = plan.dataset.options.get(ROOT.name) or plan.host.data_dir
    if not named:
        raise UserError("nobody says where the data set's files are", "Name their folder: --data-dir DIR.")
    return Path(named).expanduser()


def path_of(file: PackedFile, request: Request, root: Path | None, catalog: Catalog) -> Path | None:
    """Where a file is here. Raises UserError when it is not there."""
    if file.kind == "root":
        assert root is not None, "there are such files"
        return root / file.source
    base = (request.model if file.of == "model" else request.dataset).origin.path.parent
    return resolve(file.source, base, None, catalog, allow_http=True)


def missing_beside(opened: Opened) -> list[Path]:
    """Files that are named by a path from a manifest, were left out of the bundle, and are not where it is kept."""
    document = opened.document
    found = []
    for file in document.files:
        packed = document.model if file.of == "model" else document.dataset
        if file.kind == "path" and not file.inside and "://" not in file.source:
            path = Path(os.path.normpath((opened.folder / packed.inside).parent / file.source))
            found += [] if path.exists() else [path]
    return found


def require_trust(opened: Opened, granted: bool, store: Trust) -> None:
    """Return when the environment of a bundle may be installed; what is granted now is remembered by the lock's hash.

    A lock chooses packages of the index and brings wheels of its own, all of which is code that will run.

    Raises:
        TrustError: nobody has trusted this lock yet.
    """
    assert opened.lock is not None, "only a bundle with an environment is asked about"
    sha256 = sha256_of(opened.lock)
    if store.trusts(sha256):
        return
    if not granted:
        environment = opened.document.environment
        wheels = [Path(name).name for name in environment.wheels] if environment else []
        _, pins = read_lock(opened.lock)
        inside = f", of which the bundle brings {', '.join(wheels)}" if wheels else ""
        raise TrustError(
            f"{opened.path} would install {len(pins)} packages{inside}: code that would run on this machine, and that "
            "nobody has trusted yet",
            f"Read environment/requirements.lock in it (unzip -p {opened.path} environment/requirements.lock), and who "
            "gave you the bundle. If you trust it, run the command again with --trust; or use what is installed here, "
            "with --here.",
        )
    store.remember(sha256, opened.path)


def rebuild(opened: Opened, telling: Telling) -> tuple[Record, bool]:
    """Make the environment of a bundle, or find an equal one: its record, and whether it was made now.

    Raises:
        UserError: the bundle has none, it is for another platform or a Python that is not here, or pip cannot install
            it; nothing of it is left.
    """
    if opened.lock is None:
        raise UserError(
            f"{opened.path} holds no environment: it was made with --no-lock", "Run in what is installed here: --here."
        )
    about, _ = read_lock(opened.lock)
    if about.platform != this_platform():
        raise UserError(
            f"the environment of {opened.path} is for {about.platform}, and this is {this_platform()}",
            "Run in what is installed here: --here.",
        )
    lock = sha256_of(opened.lock)
    # the lock's hash in its name: an equal one is found, and one of the user's own is never in the way
    return create_from(opened.lock, None, f"bundle-{about.name}-{lock[:8]}", telling)


def locked_packages(opened: Opened) -> Mapping[str, str]:
    """What the lock names; empty without one."""
    return read_lock(opened.lock)[1] if opened.lock else {}


def environment_differences(opened: Opened, system: Mapping[str, Any]) -> list[str]:
    """In what installed packages and code differ from those of the bundle's run, as far as that needs them."""
    then = read_json(opened.run / rundir.SYSTEM)
    was, here = (
        {canonical(name): version for name, version in one.get("packages", {}).items()} for one in (then, system)
    )
    names: Sequence[str] = sorted(locked_packages(opened) or {name for name in was if name in here})
    found = [
        f"{name} was {was[name]}, and is {here.get(name, 'not installed')} here"
        for name in names
        if name in was and was[name] != here.get(name)
    ]
    if then.get("python") != system.get("python"):
        found.insert(0, f"Python was {then.get('python')}, and is {system.get('python')} here")
    code, ours = then.get("code", {}), system.get("code", {})
    return found + [
        f"the code of {name} is another" for name in sorted(code) if name in ours and code[name] != ours[name]
    ]
