"""A model of a zoo as a file for another framework: found by its manifest, made once, kept in the cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from mlharness import supervise
from mlharness.choices import Choices
from mlharness.errors import PluginError, UserError, did_you_mean
from mlharness.manifest.documents import ModelFile, ModelManifest
from mlharness.manifest.files import as_uri, find_source
from mlharness.manifest.library import ManifestLibrary
from mlharness.paths import runs_dir
from mlharness.plugins import Plugins
from mlharness.registrars import Catalog
from mlharness.request import Request, find_dataset, find_model


@dataclass(frozen=True)
class Exported:
    """An exported model: the source that names it, where its file is, and the file's sha256 and size in bytes."""

    model: str
    format: str
    source: str
    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Export:
    """What is asked for. ``framework`` chooses among the manifest's; ``weights`` others than it names."""

    model: str
    format: str = "onnx"
    framework: str | None = None
    weights: str | None = None


def export_request(wanted: Export, plugins: Plugins, blocked: tuple[str, ...] = ()) -> Request:
    """A request for the model's file in the format wanted. Nothing of the manifest is executed for it.

    Raises:
        UserError: no such model or format, or none of the model's files can be had in it.
    """
    library = ManifestLibrary(plugins.catalog)
    check_format(wanted.format, plugins.catalog)
    model = find_model(wanted.model, library)
    found = find_exportable(variants(model, wanted.framework, plugins.catalog), wanted.format, plugins.catalog)
    if found is None:
        what = f"{model.name} for {wanted.framework}" if wanted.framework else model.name
        raise UserError(
            f"{what} has no file that can be had as {wanted.format}: none is of a zoo that exports it",
            remedy(model, wanted, library),
        )
    variant, file = found
    source = with_query(file.source, wanted.format, wanted.weights)
    # A checksum in the manifest is that of the file that it names, and of no other.
    file = file if source == file.source else ModelFile(source)
    # A run would need a data set, an export does not.
    dataset = find_dataset(variant, None if variant.dataset else "null", library)
    return Request(replace(variant, files=(file,)), dataset, Choices(), plugins, runs_dir(), blocked)


def export(request: Request, form: str, watch: supervise.Watch) -> Exported:
    """Make the file unless the cache has it.

    Raises:
        UserError, RunError: no environment has the framework that makes it, or making it failed.
    """
    with tempfile.TemporaryDirectory(prefix="mlharness-") as folder:
        ((path, sha256),) = request.fetch(watch, Path(folder) / "runner.log")
    return Exported(request.model.name, form, request.model.files[0].source, path, sha256, path.stat().st_size)


def check_format(form: str, catalog: Catalog) -> None:
    """Raise PluginError unless a source of an installed plugin offers the format."""
    known = sorted({one for entry in catalog.sources for one in entry.provider.formats})
    if form not in known:
        advice = did_you_mean(form, known) if known else "Run: pip install 'mlharness-torch[zoo,onnx]'"
        raise PluginError(f"nothing that is installed exports models to {form!r}", advice)


def variants(model: ModelManifest, framework: str | None, catalog: Catalog) -> tuple[ModelManifest, ...]:
    """The model as it stands for each of its frameworks, or for the chosen one only; none when it is not for that."""
    every = (model, *model.alternatives)
    if framework is None:
        return every
    chosen = catalog.frameworks.find(framework)
    return tuple(one for one in every if chosen.answers_to(one.framework.name))


def find_exportable(
    models: tuple[ModelManifest, ...], form: str, catalog: Catalog
) -> tuple[ModelManifest, ModelFile] | None:
    """The first of the models, and its first file, that can be had in a format; None when there is none."""
    pairs = ((model, file) for model in models for file in model.files)
    return next((pair for pair in pairs if offers(*pair, form, catalog)), None)


def offers(model: ModelManifest, file: ModelFile, form: str, catalog: Catalog) -> bool:
    """True when the file's source can give it in the format."""
    try:
        provider = find_source(file.source, as_uri(file.source, model.origin.path.parent), catalog)
    except UserError:  # the source of a plugin that is not installed
        return False
    return form in provider.formats


def with_query(source: str, form: str, weights: str | None) -> str:
    """The source with its ``format``, and other ``weights`` if any; trained weights have no seed."""
    head, _, query = source.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True)) | {"format": form}
    if weights is not None:
        given["weights"] = weights
        if weights.lower() != "none":
            given.pop("seed", None)
    return f"{head}?{urlencode(given)}"


def remedy(model: ModelManifest, wanted: Export, library: ManifestLibrary) -> str:
    """How the format can be had: of another of the model's frameworks, else of which shipped models."""
    other = find_exportable((model, *model.alternatives), wanted.format, library.catalog)
    if other is not None:
        return f"Leave out --framework, or use --framework {other[0].framework.name}."
    names = sorted(set(exportable_names(wanted.format, library)))
    return f"These can: {', '.join(names)}." if names else "Install a plugin that ships such a model."


def exportable_names(form: str, library: ManifestLibrary) -> Iterator[str]:
    """The names of shipped models that can be had in the format."""
    for listing in library.models():
        try:
            model = library.model(listing.name)
        except UserError:  # listings say what is wrong with it
            continue
        if find_exportable((model, *model.alternatives), form, library.catalog):
            yield listing.name


def check_output(output: Path, force: bool) -> None:
    """Raise UserError when a file is there that may not be replaced, or the path can be no file's."""
    if output.is_dir() or not output.parent.is_dir():
        raise UserError(
            f"{output} is {'a folder' if output.is_dir() else 'in a folder that is not there'}",
            "Give the path of a file in a folder that is there.",
        )
    if output.exists() and not force:
        raise UserError(f"{output} is there already", "Give --force to replace it, or another --output.")


def copy_to(exported: Exported, output: Path) -> Exported:
    """Copy the file, whole or not at all. Raises UserError when that cannot be done."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        shutil.copyfile(exported.path, temporary)
        temporary.replace(output)
    except OSError as error:
        raise UserError(
            f"{output} cannot be written: {error.strerror}", f"Free space, or take it from {exported.path}."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # what could not be written may be impossible to remove, too
            temporary.unlink(missing_ok=True)
    return replace(exported, path=output)
