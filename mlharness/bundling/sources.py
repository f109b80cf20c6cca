"""Which files a run was made of, with their hashes: the model's, those of its steps and metric, the data set's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from mlharness.bundling.document import Kind, Of, PackedFile, Use
from mlharness.data_root import ROOT
from mlharness.errors import UserError
from mlharness.manifest.documents import DataSetManifest, ModelManifest
from mlharness.manifest.files import digest, is_uri, resolve
from mlharness.plan import RunPlan
from mlharness.providers import Option
from mlharness.registrars import Catalog


@dataclass(frozen=True)
class Source:
    """A file as a manifest names it, and where it is on this machine; ``base`` is the manifest's folder."""

    of: Of
    use: Use
    kind: Kind
    source: str
    path: Path
    base: Path

    @property
    def beside(self) -> bool:
        """True for a file that is named by a path from the manifest, so that it can be put beside a copy of that."""
        return self.kind == "path" and not is_uri(self.source) and not Path(self.source).is_absolute()

    @property
    def place(self) -> Path:
        """For such a file: its path, without following links, so that it lies to its manifest as it is written."""
        return Path(os.path.normpath(self.base.absolute() / self.source))

    def packed(self) -> PackedFile:
        """Its hash and size. Raises UserError when it cannot be read."""
        try:
            return PackedFile(self.of, self.use, self.kind, self.source, digest(self.path), self.path.stat().st_size)
        except OSError as error:
            raise UserError(f"{self.source} cannot be read: {error.strerror}", f"Check {self.path}.") from error


def find_sources(
    model: ModelManifest, dataset: DataSetManifest, plan: RunPlan, data: Sequence[str], catalog: Catalog
) -> list[Source]:
    """Every file that can be told from manifests and plan, each once.

    Args:
        model: the model's manifest, as it stands for the plan's framework.
        dataset: the data set's.
        plan: names steps, metric and data set, with their options.
        data: sources that the data set asked for when it was opened.
        catalog: knows sources, and which options are files.

    Raises:
        UserError: a file is no longer there, or not as the manifest says.
    """
    base = model.origin.path.parent
    found = [
        locate("model", "weights", wish.source, base, wish.checksum, catalog)
        for wish in model.files
    ]  # fmt: skip
    for step in (*plan.preprocess, *plan.postprocess):
        declared = catalog.steps.find(step.name).provider.parameters
        found += [locate("model", "step", name, base, None, catalog) for name in files_in(declared, step.parameters)]
    if plan.metric is not None:
        declared = catalog.metrics.find(plan.metric.name).provider.options
        found += [
            locate("model", "metric", name, base, None, catalog) for name in files_in(declared, plan.metric.options)
        ]
    base = dataset.origin.path.parent
    for source in data:
        found += spread(locate("dataset", "data", source, base, None, catalog))
    found += in_root(plan, catalog)
    return list(dict.fromkeys(found))


def locate(of: Of, use: Use, source: str, base: Path, checksum: str | None, catalog: Catalog) -> Source:
    """One file. Raises UserError when it is not here."""
    # that http was allowed has been decided when it was fetched
    path = resolve(source, base, checksum, catalog, allow_http=True)
    if path is None:
        raise UserError(f"{source} is no longer in the cache", "Fetch it again: mlh bench with the same words.")
    return Source(of, use, kind_of(source), source, path, base)


def kind_of(source: str) -> Kind:
    """Where a file comes from, by its scheme."""
    scheme = urlsplit(source).scheme.lower() if is_uri(source) else "file"
    return {"file": "path", "pkg": "package"}.get(scheme, "fetched")  # type: ignore[return-value]  # of these words


def files_in(declared: Sequence[Option], given: object) -> Iterator[str]:
    """The values of options that are files."""
    values = given if isinstance(given, dict) else {}
    yield from (values[one.name] for one in declared if one.type == "file" and values.get(one.name) is not None)


def spread(source: Source) -> list[Source]:
    """A folder as all of its files."""
    if not source.path.is_dir():
        return [source]
    return [
        replace(source, source=f"{source.source.rstrip('/')}/{path.relative_to(source.path).as_posix()}", path=path)
        for path in sorted(source.path.rglob("*"))
        if path.is_file()
    ]


def in_root(plan: RunPlan, catalog: Catalog) -> list[Source]:
    """All files of the folder that the user named for a data set which nobody may fetch."""
    declared = catalog.datasets.find(plan.dataset.provider).provider.options
    named = plan.dataset.options.get(ROOT.name) or plan.host.data_dir
    if not named or not any(option.name == ROOT.name for option in declared):
        return []
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise UserError(f"the data set's folder {folder} is gone", "Bring it back, or name it again with --data-dir.")
    return [
        Source("dataset", "data", "root", path.relative_to(folder).as_posix(), path, folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
