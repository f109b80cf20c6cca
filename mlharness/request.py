"""What is asked for before anything is measured: manifests found, trust given, files brought here, a plan made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlharness import supervise
from mlharness.choices import Choices
from mlharness.errors import UserError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.files import digest, resolve
from mlharness.manifest.library import ManifestLibrary, is_path
from mlharness.manifest.trust import require_trust, user_trust
from mlharness.plan import RunPlan
from mlharness.planning import make_plan
from mlharness.plugins import Plugins
from mlharness.runner.job import FetchJob, Job


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
        """Each model file that is here already, None for one that has yet to be fetched."""
        base, catalog = self.model.origin.path.parent, self.plugins.catalog
        return [resolve(wish.source, base, wish.sha256, catalog) for wish in self.model.files]

    def fetch(self, watch: supervise.Watch, log: Path) -> list[tuple[Path, str]]:
        """Path and sha256 of each model file; what is not here yet is brought by a runner that writes to ``log``.

        Raises:
            UserError: a file that cannot be had.
        """
        located = self.locate()
        pairs = list(zip(self.model.files, located, strict=True))
        missing = tuple((wish.source, wish.sha256) for wish, path in pairs if path is None)
        fetched: dict[str, Path] = {}
        if missing:
            job = Job("fetch", self.blocked, fetch=FetchJob(missing, str(self.model.origin.path.parent.absolute())))
            outcome = supervise.run(job, watch, log)
            fetched = {message["source"]: Path(message["path"]) for message in outcome.all("fetched")}
        paths = [path or fetched[wish.source] for wish, path in pairs]
        return [(path, digest(path)) for path in paths]

    def plan_without_fetching(self) -> RunPlan:
        """The plan as far as it is known before a download; a missing file has the manifest's own sha256."""
        pairs = zip(self.model.files, self.locate(), strict=True)
        return self.plan(
            [(path or Path(wish.source), digest(path) if path else wish.sha256 or "") for wish, path in pairs]
        )


def prepare(model: str, choices: Choices, plugins: Plugins, root: Path, blocked: tuple[str, ...] = ()) -> Request:
    """Find the manifests by name or path, and ask for trust. Raises UserError."""
    library = ManifestLibrary(plugins.catalog)
    found = library.model(model)
    name = choices.dataset or dataset_of(found)
    if not name:
        remedy = "Choose one with --dataset; see mlh datasets."
        raise UserError(f"the manifest of {found.name} names no data set", remedy)
    require_trust(found, choices.trust, user_trust())
    return Request(found, library.dataset(name), choices, plugins, root, blocked)


def dataset_of(model: ModelManifest) -> str:
    """The data set that a manifest names: a name as it is, a path counted from the manifest, like its other files."""
    named = model.dataset
    return str(model.origin.path.parent / named) if is_path(named) else named
