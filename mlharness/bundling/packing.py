"""From a run directory to a bundle."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

import msgspec

from mlharness import rundir
from mlharness.bundling.container import Content, sha256_of, size_of, write_bundle
from mlharness.bundling.document import (
    AUDIT_CONF,
    DOCUMENT,
    RUN,
    USER_CONF,
    BundleDocument,
    Member,
    PackedFile,
    PackedManifest,
    PackedRun,
    write_document,
)
from mlharness.bundling.environment import Needs, lock_environment, packages_of
from mlharness.bundling.findings import Checks
from mlharness.bundling.recomputing import SEARCH, Recorded, recompute
from mlharness.bundling.sources import Source, find_sources
from mlharness.choices import Choices, read_choices
from mlharness.environments.creating import Telling
from mlharness.errors import UserError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.files import as_uri, find_source
from mlharness.manifest.library import ManifestLibrary
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.monitor import FILE as HOST
from mlharness.plan import RunPlan
from mlharness.planning import plugins_of, requirements_of
from mlharness.plugins import Plugins
from mlharness.request import on_framework
from mlharness.runs import Run
from mlharness.trace.files import FOLDER, SOURCES
from mlharness.trace.parquet import SPANS, TELEMETRY
from mlharness.tracing import LOGS
from mlharness.userconf import read_user_conf

_OF_RUN = (
    rundir.PLAN, rundir.SYSTEM, rundir.RESULT, rundir.LABELS, rundir.RUNNER_LOG, HOST,
)  # fmt: skip
_OF_TEST = ("mlperf_log_*", rundir.MEASURED, rundir.SCORED)
_TESTS = (".", "performance", "accuracy", "too-short", f"{SEARCH}/*")
_OF_TRACE = (SPANS, TELEMETRY, f"{FOLDER}/{SOURCES}", f"{FOLDER}/{LOGS}/*", f"{FOLDER}/level-*/*.parquet")
SUFFIX = ".mlhz"
Manifest: TypeAlias = "ModelManifest | DataSetManifest"


@dataclass(frozen=True)
class Wish:
    """What goes in: the trace, files that are named by paths (None: there must be none), the environment's lock."""

    trace: bool = True
    files: bool | None = None
    lock: bool = True


@dataclass(frozen=True)
class Packed:
    """A bundle that was written: where, the sha256 of its bytes, its document, and what a receiver needs beside it."""

    path: Path
    sha256: str
    document: BundleDocument
    notes: tuple[str, ...]


def pack(run: Run, target: Path, plugins: Plugins, wish: Wish, telling: Telling) -> Packed:
    """Write the bundle of a run.

    Args:
        run: any valid or invalid run whose directory is here.
        target: the bundle.
        plugins: those by which the run can be made again.
        wish: what goes in.
        telling: whom to tell of the work.

    Raises:
        UserError: the run did not end, or does not hold together; a file of it is gone or has changed; files are named
            by paths, and nobody said what to do with them; its environment cannot be locked; the disk refuses.
    """
    directory = run.files()
    check_ended(run)
    telling.stage("checking the run")
    recorded = check_whole(directory)
    choices = choices_of(recorded)
    model, dataset = manifests(recorded.plan, choices, plugins)
    telling.stage("hashing the files that its manifests name")
    sources = find_sources(model, dataset, recorded.plan, data_of(recorded), plugins.catalog)
    check_paths(sources, wish)
    check_weights(recorded.plan)
    members = dict(run_members(directory, wish.trace))
    roots: dict[str, Path] = {of: root_of(one, of, sources) for of, one in (("model", model), ("dataset", dataset))}
    packed_model = pack_manifest(model, f"model/{beneath(model.origin.path, roots['model'])}", members)
    packed_dataset = pack_manifest(dataset, f"dataset/{beneath(dataset.origin.path, roots['dataset'])}", members)
    files = tuple(pack_files(sources, roots if wish.files else {}, members))
    pack_confs(recorded.plan, members)
    with tempfile.TemporaryDirectory(prefix="mlharness-") as scratch:
        environment = None
        if wish.lock:
            needs = needs_of(recorded.plan, model, dataset, sources, plugins)
            environment, more = lock_environment(recorded.plan, recorded.system, needs, Path(scratch), telling)
            members |= more
        document = BundleDocument(
            mlharness=metadata.version("mlharness"),
            run=PackedRun(run.run_id, recorded.plan.sha256, str(recorded.result["status"])),
            model=packed_model,
            dataset=packed_dataset,
            files=files,
            environment=environment,
            members=tuple(Member(name, sha256_of(members[name]), size_of(members[name])) for name in sorted(members)),
        )
        telling.stage(f"writing {target}")
        sha256 = write_bundle(target, {DOCUMENT: write_document(document), **members})
    return Packed(target, sha256, document, tuple(notes(document)))


def check_ended(run: Run) -> None:
    """Raise UserError for a run that has no figure."""
    status = run.result["status"]
    if status not in ("valid", "invalid"):
        raise UserError(
            f"run {run.run_id} is {status}: it has nothing that could be reproduced",
            "Bundle a run that ended: mlh runs --status valid.",
        )


def check_whole(directory: Path) -> Recorded:
    """The files of a run whose result follows from its logs. Raises UserError for any other run."""
    for name in (rundir.PLAN, rundir.SYSTEM):
        if not (directory / name).is_file():
            raise UserError(f"{directory} has no {name}", "A run directory without it is damaged: make the run again.")
    if not any(directory.glob(rundir.MEASURED)) and not any(directory.glob(f"*/**/{rundir.MEASURED}")):
        raise UserError(
            f"{directory} has no {rundir.MEASURED}: it is of an mlharness that did not keep it, and without it its "
            "figures cannot be recomputed",
            "Make the run again, and bundle that.",
        )
    checks = Checks()
    found = recompute(directory, checks)
    if found is None or not checks.hold:
        told = "; ".join(f"{one.where}: {one.what}" for one in checks.findings[:3])
        raise UserError(f"{directory} does not hold together: {told}", "Restore it from a copy, or make the run again.")
    return found


def choices_of(run: Recorded) -> Choices:
    """What the user chose for the run. Raises UserError for a run of an mlharness that did not note it."""
    try:
        return read_choices(run.plan_document["choices"])
    except (KeyError, msgspec.ValidationError) as error:
        raise UserError(
            f"{run.directory / rundir.PLAN} does not say what was chosen for the run",
            "Make the run again, and bundle that.",
        ) from error


def manifests(plan: RunPlan, choices: Choices, plugins: Plugins) -> tuple[ModelManifest, DataSetManifest]:
    """The manifests of the run, for its framework. Raises UserError when one is gone, or has changed since."""
    library = ManifestLibrary(plugins.catalog)
    for path, sha256 in (
        (plan.host.model_manifest, plan.model.manifest_sha256),
        (plan.host.dataset_manifest, plan.dataset.manifest_sha256),
    ):
        try:
            found = sha256_of(Path(path))
        except OSError as error:
            raise UserError(f"the manifest {path} is gone: {error.strerror}", "Bring it back as it was.") from error
        if found != sha256:
            raise UserError(
                f"{path} has changed since the run was made",
                "Bring back what it was, or make the run again, and bundle that.",
            )
    model = library.model(named(plan.host.model_manifest, plan.model.name))
    return on_framework(model, choices.framework, plugins.catalog), library.dataset(plan.host.dataset_manifest)


def named(path: str, member: str) -> str:
    """A manifest's path, with the name of the model when it holds a family of them."""
    return f"{path}#{member}" if read_upgraded(Path(path)).data.get("members") else path


def data_of(run: Recorded) -> Sequence[str]:
    """The sources that the data set asked for."""
    test = run.accuracy or run.performance
    assert test is not None, "a run has one test or both"
    return list(map(str, test.prepared.get("data", ())))


def check_paths(sources: Sequence[Source], wish: Wish) -> None:
    """Raise UserError for files of this machine, when nobody said whether they go into the bundle."""
    local = [one for one in sources if one.kind == "path"]
    if not local or wish.files is not None:
        return
    size = sum(one.path.stat().st_size for one in local)
    listed = ", ".join(one.source for one in local[:4]) + (" ..." if len(local) > 4 else "")
    raise UserError(
        f"the manifests name files of this machine by paths: {listed} ({size:,} bytes)",
        "Put them into the bundle: --with-files. Or leave them out: --without-files; whoever reproduces the run then "
        "needs them.",
    )


def run_members(directory: Path, trace: bool) -> Iterator[tuple[str, Content]]:
    """The files of the run directory that are its record. Raises UserError for one that is a link."""
    patterns = [
        *_OF_RUN,
        *(f"{folder}/{name}" for folder in _TESTS for name in _OF_TEST),
        *(_OF_TRACE if trace else ()),
    ]
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            if path.is_symlink():
                raise UserError(f"{path} is a link, and a run directory has none", "Put the file in its place.")
            if path.is_file():
                yield f"{RUN}/{path.relative_to(directory).as_posix()}", path


def root_of(manifest: Manifest, of: str, sources: Sequence[Source]) -> Path:
    """The folder that holds a manifest and all files that it names by a path from itself."""
    beside = [one.place.parent for one in sources if one.of == of and one.beside]
    return Path(os.path.commonpath([plainly(manifest.origin.path).parent, *beside]))


def plainly(path: Path) -> Path:
    """An absolute path without ``..``; links are not followed."""
    return Path(os.path.normpath(path.absolute()))


def beneath(path: Path, root: Path) -> str:
    """A path from a folder that holds it."""
    return plainly(path).relative_to(root).as_posix()


def pack_manifest(manifest: Manifest, inside: str, members: dict[str, Content]) -> PackedManifest:
    """Put a manifest in."""
    members[inside] = manifest.origin.path
    member = named(str(manifest.origin.path), manifest.name).partition("#")[2]
    return PackedManifest(manifest.name, manifest.origin.sha256, inside, member, manifest.origin.plugin or "")


def pack_files(
    sources: Sequence[Source], roots: Mapping[str, Path], members: dict[str, Content]
) -> Iterator[PackedFile]:
    """Each file with its hash; those that lie beside a manifest go in where there is a root for them."""
    for one in sources:
        packed = one.packed()
        if one.of in roots and one.beside:
            packed = replace(packed, inside=f"{one.of}/{beneath(one.place, roots[one.of])}")
            members[packed.inside] = one.path
        yield packed


def check_weights(plan: RunPlan) -> None:
    """Raise UserError when a file that the plan measured is no longer what it was."""
    for planned, path in zip(plan.model.files, plan.host.model_files, strict=True):
        try:
            found = sha256_of(Path(path))
        except OSError as error:
            raise UserError(
                f"{planned.source} is gone: {error.strerror}", "Bring it back, or make the run again."
            ) from error
        if found != planned.sha256:
            raise UserError(
                f"{planned.source} has changed since the run was made", "Make the run again, and bundle that."
            )


def pack_confs(plan: RunPlan, members: dict[str, Content]) -> None:
    """LoadGen's user.conf and audit.config. Raises UserError when one is gone or has changed."""
    for name, path in ((USER_CONF, plan.host.user_conf), (AUDIT_CONF, plan.host.audit_conf)):
        if not path:
            continue
        try:
            members[name] = Path(path).read_bytes()
        except OSError as error:
            raise UserError(f"{path} is gone: {error.strerror}", "Bring it back as it was.") from error
    test = plan.test
    if (
        USER_CONF in members
        and read_user_conf(Path(plan.host.user_conf), test.mlperf_model, test.scenario) != test.user_conf
    ):
        raise UserError(f"{plan.host.user_conf} has changed since the run was made", "Bring it back as it was.")
    audit = members.get(AUDIT_CONF)
    if audit is not None and sha256_of(audit) != plan.test.audit_conf_sha256:
        raise UserError(f"{plan.host.audit_conf} has changed since the run was made", "Bring it back as it was.")


def needs_of(
    plan: RunPlan, model: ModelManifest, dataset: DataSetManifest, sources: Sequence[Source], plugins: Plugins
) -> Needs:
    """What of the environment the run needs."""
    catalog = plugins.catalog
    named_by = plugins_of(model, dataset, (plan.dataset, plan.metric, *plan.preprocess, *plan.postprocess))
    carried = {one.source: one.base for one in sources if one.kind == "fetched"}
    fetching = {
        entry.plugin
        for source, base in carried.items()
        for entry in catalog.sources
        if entry.provider is find_source(source, as_uri(source, base), catalog)
    }
    provider = catalog.frameworks.find(plan.framework.name)
    return Needs(
        provider.provider,
        requirements_of(model, dataset),
        frozenset({*named_by, *fetching, provider.plugin}),
        packages_of(one.source for one in sources),
    )


def notes(document: BundleDocument) -> Iterator[str]:
    """What whoever reproduces the run needs beside the bundle."""
    if document.environment is None:
        yield "no environment is in it: mlh reproduce runs in the one that it finds"
    outside = [file for file in document.files if not file.inside]
    said = {
        "fetched": "files that are fetched again",
        "path": "files that are not in it, and must be where the manifests say",
        "root": "files of the data set's folder, for --data-dir",
    }
    for kind, what in said.items():
        if sources := [file.source for file in outside if file.kind == kind]:
            yield f"{what}: {', '.join(sources[:3])}" + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
    if document.run.status == "invalid":
        yield "the run is INVALID"


def default_target(run: Run) -> Path:
    """Where a bundle goes when nobody says: beside whoever asks for it."""
    return Path(f"{run.run_id}{SUFFIX}")
