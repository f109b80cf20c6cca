"""What is asked for before anything is measured: manifests found, trust given, files brought here, a plan made."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mlharness import supervise
from mlharness.choices import Choices
from mlharness.environments.choosing import Wish, choose_environment
from mlharness.errors import ManifestError, UserError
from mlharness.manifest.archives import extract_member
from mlharness.manifest.documents import DataSetManifest, ModelFile, ModelManifest
from mlharness.manifest.files import as_uri, digest, find_source, is_md5, is_plain, resolve
from mlharness.manifest.library import ManifestLibrary, is_path
from mlharness.manifest.place import place, placed
from mlharness.manifest.provided import check_file, check_run, refuse
from mlharness.manifest.trust import require_trust_in_all, user_trust
from mlharness.plan import RunPlan
from mlharness.planning import check_device, find_framework, make_plan, wished_framework
from mlharness.plugins import Plugins
from mlharness.registrars import Catalog
from mlharness.runner.job import FetchJob, Job

Wanted: TypeAlias = tuple[str, "str | None"]
"""A file to fetch: its source, and its checksum or None."""


@dataclass(frozen=True)
class Request:
    """The manifests, the user's choices, the plugins and those that are blocked, and the root of run directories."""

    model: ModelManifest
    dataset: DataSetManifest
    choices: Choices
    plugins: Plugins
    root: Path
    blocked: tuple[str, ...] = ()

    def plan(self, files: list[tuple[Path, str]]) -> RunPlan:
        """The plan over these model files (path and sha256 each). Raises UserError as :func:`make_plan` does."""
        return make_plan(self.model, self.dataset, self.choices, self.plugins.catalog, files, self.blocked)

    def locate(self) -> list[Path | None]:
        """Each model file (or its archive) that is here already, None for one that has yet to be fetched."""
        found = []
        for index, wish in enumerate(self.model.files):
            with placed(self.model.origin.path, *self.model.key("model", "files", index)):
                found.append(self.find(wish))
        return found

    def fetch(self, watch: supervise.Watch, log: Path) -> list[tuple[Path, str]]:
        """Path and sha256 of each model file; what is not here yet is brought by a runner that writes to ``log``.

        Raises:
            UserError: a file that cannot be had.
        """
        located = self.locate()
        pairs = list(zip(self.model.files, located, strict=True))
        # Several files may come from one archive.
        missing = tuple(dict.fromkeys((wish.source, wish.checksum) for wish, path in pairs if path is None))
        base = self.model.origin.path.parent.absolute()
        fetched: dict[str, Path] = {}
        if missing:  # what is wrong with the plan is told before anything is brought here
            self.plan([as_wished(wish) for wish in self.model.files])
        for interpreter, files in self.fetchers(missing, base).items():
            wanted = FetchJob(tuple(files), str(base), self.choices.allow_http)
            job = Job("fetch", self.blocked, fetch=wanted)
            outcome = supervise.run(job, watch, log, interpreter)
            fetched |= {message["source"]: Path(message["path"]) for message in outcome.all("fetched")}
        return self.unpack([path or fetched[wish.source] for wish, path in pairs])

    def fetchers(self, missing: Sequence[Wanted], base: Path) -> dict[str, list[Wanted]]:
        """The interpreter for each file that is to be fetched: one with the framework that its source needs.

        All are chosen before the first file is fetched. Only the run's own framework is bound to a version.

        Raises:
            UserError: no environment has the framework, or nothing provides it.
        """
        catalog, found = self.plugins.catalog, dict[str, list[Wanted]]()
        chosen: dict[str, str] = {"": sys.executable}
        for source, checksum in missing:
            needed = find_source(source, as_uri(source, base), catalog).framework
            if needed not in chosen:
                chosen[needed] = choose_environment(self.wish_for(needed))
            found.setdefault(chosen[needed], []).append((source, checksum))
        return found

    def warnings(self) -> list[str]:
        """What a reader of the figure must know of the model's files, once they are here."""
        weak = ((wish.source, self.find(wish)) for wish in self.model.files if is_md5(wish.checksum))
        plain = [doubt_http(wish.source) for wish in self.model.files if is_plain(wish.source)]
        return list(dict.fromkeys([*plain, *(doubt_md5(source, path) for source, path in weak if path is not None)]))

    def find(self, wish: ModelFile) -> Path | None:
        """A model file (or its archive) when it is here already. Raises UserError as :func:`resolve` does."""
        base, allow_http = self.model.origin.path.parent, self.choices.allow_http
        return resolve(wish.source, base, wish.checksum, self.plugins.catalog, allow_http=allow_http)

    def wish_for(self, framework: str) -> Wish:
        """What the fetching of a file asks of its environment."""
        needed = self.plugins.catalog.frameworks.find(framework)
        own, version = find_framework(self.model, self.choices, self.plugins.catalog)
        return Wish(needed.provider, version if needed.name == own.name else "")

    def plan_without_fetching(self) -> RunPlan:
        """The plan as far as it is known before a download; a missing file has the manifest's own sha256.

        Where it gives none, and for a file in an archive, the sha256 is empty.
        """
        return self.plan(self.unpack(self.locate()))

    def unpack(self, paths: Sequence[Path | None]) -> list[tuple[Path, str]]:
        """Path and sha256 of each model file, whose sources are at ``paths``; None for one that is not here."""
        unpacked = []
        for index, (wish, path) in enumerate(zip(self.model.files, paths, strict=True)):
            with placed(self.model.origin.path, *self.model.key("model", "files", index)):
                unpacked.append(unpack(wish, path) if path else as_wished(wish))
        return unpacked


def unpack(wish: ModelFile, path: Path) -> tuple[Path, str]:
    """Path and sha256 of a model file whose source is here; out of an archive when the manifest says so.

    Raises:
        UserError: the source cannot be read, or is no archive that holds the member.
    """
    try:
        if wish.member is not None:
            path = extract_member(path, wish.source, wish.sha256 or digest(path), wish.member)
        return path, digest(path)
    except OSError as error:
        raise UserError(f"{wish.source} cannot be read: {error.strerror}", f"Check {path}: is it a file?") from error


def doubt_http(source: str) -> str:
    """The warning about a file that comes over plain http."""
    return f"{source}: anyone on the way can change what comes over plain http; its checksum alone vouches for it"


def doubt_md5(source: str, path: Path) -> str:
    """The warning about a file, or an archive, that only an md5 vouches for."""
    return f"{source}: md5 can be forged; the file's sha256 is {digest(path)}, write that"


def as_wished(wish: ModelFile) -> tuple[Path, str]:
    """Path and sha256 of a model file that is not here, as far as the manifest tells."""
    return Path(wish.source), (wish.sha256 or "") if wish.member is None else ""


def prepare(model: str, choices: Choices, plugins: Plugins, root: Path, blocked: tuple[str, ...] = ()) -> Request:
    """Find the manifests by name or path, check them, and ask for trust. Raises UserError."""
    check_device(choices.device)
    library = ManifestLibrary(plugins.catalog)
    found = on_framework(find_model(model, library), choices.framework, plugins.catalog)
    chosen = replaced_keys(found, choices, plugins.catalog)
    try:
        dataset = find_dataset(found, choices.dataset, library)
    except UserError:
        check_run(found, None, library, chosen)  # which says that, too, and whatever else is wrong
        raise
    check_run(found, dataset, library, chosen)
    # Whichever framework is going to run it: what a manifest is trusted with shall not depend on an option.
    code = [key for framework in plugins.catalog.frameworks for key in framework.provider.code]
    require_trust_in_all((found, dataset), choices.trust, user_trust(), code)
    return Request(found, dataset, choices, plugins, root, blocked)


def find_model(name: str, library: ManifestLibrary) -> ModelManifest:
    """The model of a name or path. Raises UserError; ManifestError lists all problems of a file, of any kind."""
    try:
        return library.model(name)
    except ManifestError:
        if is_path(name):
            refuse(check_file(Path(name.partition("#")[0]), library))
        raise


def on_framework(model: ModelManifest, chosen: str | None, catalog: Catalog) -> ModelManifest:
    """The model as its manifest has it for the chosen framework; as it is when the manifest does not name that one.

    Raises:
        UserError: what was chosen is no requirement, or no plugin provides it.
    """
    if chosen is None:
        return model
    found = catalog.frameworks.find(wished_framework(chosen).name)
    every = (model, *model.alternatives)
    return next((one for one in every if found.answers_to(one.framework.name)), model)


def replaced_keys(model: ModelManifest, choices: Choices, catalog: Catalog) -> tuple[str, ...]:
    """The keys of the manifest in whose place the user chose something else."""
    chosen = choices.framework
    other = chosen is not None and not catalog.frameworks.find(wished_framework(chosen).name).answers_to(
        model.framework.name
    )
    return (*(("framework",) if other else ()), *(("dataset",) if choices.dataset else ()))


def find_dataset(model: ModelManifest, chosen: str | None, library: ManifestLibrary) -> DataSetManifest:
    """The data set that the user chose, else the manifest's. Raises UserError."""
    if chosen:
        return library.dataset(chosen)
    name, path = dataset_of(model), model.origin.path
    if not name:
        remedy = "Choose one with --dataset; see mlh datasets."
        raise UserError(f"{place(path, 'dataset')}: the manifest of {model.name} names no data set", remedy)
    if is_path(name) and Path(name).is_file():
        return library.dataset(name)  # what is wrong with that file stands there, not here
    with placed(path, "dataset"):
        return library.dataset(name)


def dataset_of(model: ModelManifest) -> str:
    """The data set that a manifest names: a name as it is, a path counted from the manifest, like its other files."""
    named = model.dataset
    return str(model.origin.path.parent / named) if is_path(named) else named
