"""What a manifest asks of plugins, held against what the loaded ones provide: sources, names, options, parameters.

Nothing of the manifest is executed, nothing is fetched, and no provider's function is called. What has the wrong type
is passed over: the schema says that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from mlharness.errors import ManifestError, PluginError, UserError
from mlharness.manifest.documents import MD5, DataSetManifest, ModelManifest
from mlharness.manifest.doubts import find_doubts
from mlharness.manifest.files import check_source
from mlharness.manifest.library import ManifestLibrary, is_path
from mlharness.manifest.located import KeyPath, Located
from mlharness.manifest.meaning import PYTHON, STAGES
from mlharness.manifest.part import Part, parts
from mlharness.manifest.problems import Problem, closest, dotted
from mlharness.manifest.published.upgrade import read_upgraded
from mlharness.manifest.reading import check_located
from mlharness.manifest.schema import problem_at
from mlharness.options import find_mistakes
from mlharness.providers import Option, StepProvider
from mlharness.registrars import Registered, Shelf

P = TypeVar("P")


NOT_INSTALLED = "If the names are right, install the plugin: that of a framework NAME is mlharness-NAME."
"""The way out for a name that nobody provides and that resembles none."""


class UnknownName(Problem):
    """A name that no loaded plugin provides; one that is not installed, or did not load, might."""


class UnprovidedError(ManifestError, PluginError):
    """A manifest names what no usable plugin provides: the plugins that did not load are worth naming beside it."""


def check_file(path: Path, library: ManifestLibrary) -> list[Problem]:
    """Every problem of one manifest, sorted by line: those of its schema, its meaning, and what plugins lack.

    Raises:
        ManifestError: the file cannot be read at all, or is not plain YAML.
    """
    return look_at(path, library)[0]


def look_at(path: Path, library: ManifestLibrary) -> tuple[list[Problem], Sequence[Problem]]:
    """As :func:`check_file`, and what is warned about: a published file's in the words of its own keys."""
    located = read_upgraded(path)
    warnings = located.warnings or tuple(find_doubts(located))
    return in_order({*check_located(located), *find_unprovided(located, library)}), warnings


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """One file's problems, sorted by line."""
    return sorted(problems, key=lambda problem: (problem.line, problem.key, problem.found))


def refuse(problems: Sequence[Problem]) -> None:
    """Raise ManifestError that lists the problems, if there are any."""
    if problems:
        remedy = "Correct the line." if len(problems) == 1 else f"Correct these {len(problems)} places."
        if any(isinstance(problem, UnknownName) and not problem.suggestion for problem in problems):
            remedy = f"{remedy} {NOT_INSTALLED}"
        error = UnprovidedError if any(isinstance(problem, UnknownName) for problem in problems) else ManifestError
        raise error("\n".join(str(problem) for problem in problems), remedy)


def find_unprovided(located: Located, library: ManifestLibrary) -> Iterator[Problem]:
    """All that a file asks of plugins and cannot have, for each of its frameworks."""
    kind = located.data.get("kind")
    if kind == "dataset":
        yield from check_provider(located, library)
    elif kind == "model":
        for part in parts(located):
            if part.framework is None:
                yield from check_part(part, library, _CHECKS)
            else:  # what it leaves to the file's top is checked there
                yield from check_alternative(part, library)


def check_alternative(part: Part, library: ManifestLibrary) -> Iterator[Problem]:
    """One of a model's other frameworks. That its plugin is not installed here is nothing wrong with the file."""
    assert part.framework is not None, "the file's top is no alternative"
    shelf = library.catalog.frameworks
    provided = any(entry.answers_to(part.framework) for entry in shelf)
    keys = {"framework", *part.own} if provided or closest(part.framework, shelf.names()) else set(part.own) - {"model"}
    yield from check_part(part, library, keys)


def check_run(
    model: ModelManifest, dataset: DataSetManifest | None, library: ManifestLibrary, skip: Collection[str] = ()
) -> None:
    """Hold what a run would use of its manifests against the plugins.

    Args:
        model: as it stands for the framework of the run.
        dataset: None when it is not known.
        library: holds the plugins' catalog.
        skip: keys of the model's manifest in whose place the user chose something else.

    Raises:
        ManifestError: every problem of both files is listed.
    """
    name = None if model.overrides is None else model.framework.name
    part = Part(read_upgraded(model.origin.path), name)
    problems = in_order(check_part(part, library, [key for key in _CHECKS if key not in skip]))
    if dataset is not None:
        problems += in_order(check_provider(read_upgraded(dataset.origin.path), library))
    refuse(problems)


def check_part(part: Part, library: ManifestLibrary, keys: Collection[str]) -> Iterator[Problem]:
    """These of the keys of a model's file that ask something of plugins."""
    for key, check in _CHECKS.items():
        if key in keys:
            yield from check(part, library)


def check_framework(part: Part, library: ManifestLibrary) -> Iterator[Problem]:
    """``framework``: its name and its options."""
    wish = _mapping(part.data.get("framework"))
    key = ("framework",) if part.framework is None else ("frameworks", part.framework)
    name = (wish.get("name"), (*key, "name") if part.framework is None else key)
    options = (wish.get("options"), (*key, "options"))
    yield from check_named(part.located, library.catalog.frameworks, name, options)


def check_files(part: Part, library: ManifestLibrary) -> Iterator[Problem]:
    """``model.files``: a source knows each scheme, and has the checksum that it needs."""
    files, base = _mapping(part.data.get("model")).get("files"), part.located.path.parent
    for index, file in enumerate(files if isinstance(files, list) else []):
        wish = {"source": file} if isinstance(file, str) else _mapping(file)
        source = wish.get("source")
        if not isinstance(source, str) or not source:
            continue
        key = (*part.path("model"), "files", index)
        try:
            # Whether plain http is allowed is the user's choice, of which a file knows nothing.
            check_source(source, base, checksum_in(wish), library.catalog, allow_http=True)
        except PluginError as error:
            scheme = source.partition("://")[0]
            yield unfound(part.located, key, library.catalog.sources, scheme, error)
        except UserError as error:
            yield problem_at(part.located, key, f"{error.message}. {error.remedy}".rstrip())


def checksum_in(wish: Mapping[str, Any]) -> str | None:
    """The checksum of a file as it stands in a manifest, whatever is wrong with it."""
    for key, prefix in (("sha256", ""), ("md5", MD5)):
        if wish.get(key) is not None:
            return f"{prefix}{wish[key]}"
    return None


def check_dataset(part: Part, library: ManifestLibrary) -> Iterator[Problem]:
    """``dataset``: a plugin ships one of that name, or the file is there."""
    name, key = part.data.get("dataset"), part.path("dataset")
    if not isinstance(name, str) or not name:
        return
    if is_path(name):
        path = part.located.path.parent / name
        if not path.exists():
            yield problem_at(part.located, key, f"there is no file {path}")
        return
    known = [known for file in library.shipped("dataset") for known in file.names]
    if name not in known:
        yield unknown_name(part.located, key, name, f"no data set is named {name!r}", known)


def check_steps(part: Part, library: ManifestLibrary, stage: str) -> Iterator[Problem]:
    """``preprocess`` or ``postprocess``: each step's name and its parameters."""
    steps = part.data.get(stage)
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        key = (*part.path(stage), index)
        if isinstance(step, str):
            name, parameters, name_key = step, None, key
        elif isinstance(step, dict) and len(step) == 1:
            [(name, parameters)] = step.items()
            name_key = (*key, name)
        else:
            continue
        if name != PYTHON:
            yield from check_named(part.located, library.catalog.steps, (name, name_key), (parameters, name_key))


def check_metric(part: Part, library: ManifestLibrary) -> Iterator[Problem]:
    """``metric``: its name and its options."""
    wish, key = _mapping(part.data.get("metric")), part.path("metric")
    if PYTHON in wish:
        return
    name, options = (wish.get("name"), (*key, "name")), (wish.get("options"), (*key, "options"))
    yield from check_named(part.located, library.catalog.metrics, name, options)


def check_provider(located: Located, library: ManifestLibrary) -> Iterator[Problem]:
    """A data set's ``provider`` and its options."""
    provider, options = ((located.data.get(key), (key,)) for key in ("provider", "options"))
    yield from check_named(located, library.catalog.datasets, provider, options)


Placed: TypeAlias = "tuple[Any, KeyPath]"
"""What stands in a file, and the path of its key."""


def check_named(located: Located, shelf: Shelf[P], name: Placed, options: Placed) -> Iterator[Problem]:
    """A name stands on a shelf, and what is named takes these options."""
    if not isinstance(name[0], str) or not name[0]:
        return
    try:
        found = shelf.find(name[0])
    except PluginError as error:
        yield unfound(located, name[1], shelf, name[0], error)
        return
    given = {} if options[0] is None else options[0]
    if isinstance(given, dict):
        what = f"{shelf.kind} {found.name!r}"
        for mistake in find_mistakes(what, declared_by(found), given):
            suggestion = closest(mistake.written, mistake.allowed) if mistake.written else ""
            key = (*options[1], mistake.option)
            yield problem_at(located, key, mistake.found, ", ".join(mistake.allowed), suggestion)


def declared_by(found: Registered[Any]) -> Sequence[Option]:
    """The options that a provider declared; a step calls them parameters."""
    provider = found.provider
    declared: Sequence[Option] = provider.parameters if isinstance(provider, StepProvider) else provider.options
    return declared


def unfound(located: Located, key: KeyPath, shelf: Shelf[P], name: str, error: PluginError) -> Problem:
    """The problem of a name that a shelf does not give out: nobody provides it, or two plugins do."""
    if any(entry.answers_to(name) for entry in shelf):
        return problem_at(located, key, f"{error.message}. {error.remedy}")
    return unknown_name(located, key, name, error.message, shelf.names())


def unknown_name(located: Located, key: KeyPath, name: str, found: str, known: Collection[str]) -> UnknownName:
    """The problem of a name that is not among the known ones."""
    allowed = ", ".join(sorted(set(known))) or "none"
    return UnknownName(
        str(located.path), located.line(key), dotted(located.origin(key)), found, allowed, closest(name, known)
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_Check: TypeAlias = Callable[[Part, ManifestLibrary], Iterator[Problem]]
_CHECKS: Mapping[str, _Check] = {
    "framework": check_framework,
    "model": check_files,
    "dataset": check_dataset,
    **{stage: partial(check_steps, stage=stage) for stage in STAGES},
    "metric": check_metric,
}
"""By the key of a model's file that each looks at."""
