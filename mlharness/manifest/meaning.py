"""What a schema cannot say of a manifest: version ranges, requirements, what is given twice, and Python that parses.

Python is compiled here and never run.
"""

from __future__ import annotations

import re
import symtable
import warnings
from collections.abc import Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from mlharness.manifest.located import KeyPath, Located
from mlharness.manifest.part import model_files, parts
from mlharness.manifest.problems import Problem, dotted
from mlharness.manifest.schema import problem_at
from mlharness.registrars import fold

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
PYTHON = "python"
PUBLISHED = "published"
"""The convention of the published MLHarness manifests' Python."""
STAGES = ("preprocess", "postprocess")
SCORE = "responses, label, options"
"""The arguments of a metric's function ``score``."""
FUNCTIONS: Mapping[str, str] = {
    "init": "count",
    "load": "sample_list",
    "unload": "sample_list",
    "sample": "index",
    "label": "index",
}
"""What an option of the data-set kind ``python`` defines, and with which argument."""


def find_mistakes(located: Located) -> list[Problem]:
    """Every such problem of a file, sorted by line. What has the wrong type is passed over: the schema says that."""
    checks = (
        check_range,
        check_requirements,
        check_checksums,
        check_placeholders,
        check_tensor_names,
        check_steps,
        check_metric,
        check_functions,
    )
    found = [problem for check in checks for problem in check(located)]
    return sorted(found, key=lambda problem: (problem.line, problem.key))


def check_range(located: Located) -> Iterator[Problem]:
    """``framework.version``, and that of each other framework, is a PEP 440 specifier set."""
    for part in parts(located):
        framework = part.data.get("framework")
        wish = framework.get("version") if isinstance(framework, dict) else None
        if isinstance(wish, str) and not _is_range(wish):
            suggestion = f"=={wish.strip()}" if _is_range(f"=={wish.strip()}") else ""
            allowed = "a PEP 440 specifier set, as '>=1.17,<2'"
            key = ("framework", "version") if part.framework is None else part.path("version")
            yield problem_at(located, key, repr(wish), allowed, suggestion)


def check_requirements(located: Located) -> Iterator[Problem]:
    """Each of ``requires`` is a PEP 508 requirement."""
    for key, wish in _items(located, "requires"):
        try:
            if isinstance(wish, str):
                Requirement(wish)
        except InvalidRequirement:
            yield problem_at(located, key, repr(wish), "a PEP 508 requirement, as 'numpy>=1.23'")


def check_checksums(located: Located) -> Iterator[Problem]:
    """No model file has an md5 beside its sha256: the one that can be forged would say nothing."""
    for key, file in model_files(located):
        if isinstance(file, dict) and {"sha256", "md5"} <= set(file):
            yield problem_at(located, (*key, "md5"), "md5 beside sha256", "sha256 alone")


def check_placeholders(located: Located) -> Iterator[Problem]:
    """In the sources of a family's files ``{member}`` stands for one of its models; nothing else is filled in."""
    known = ["member"] if located.data.get("members") else []
    for key, file in model_files(located):
        source = file.get("source") if isinstance(file, dict) else file
        for name in _PLACEHOLDER.findall(source) if isinstance(source, str) else ():
            at = (*key, "source") if isinstance(file, dict) else key
            if name not in known:
                allowed = "{member}" if known else "no placeholder, or members for it to stand for"
                yield problem_at(located, at, f"the placeholder {{{name}}}, which nothing fills", allowed)


def check_tensor_names(located: Located) -> Iterator[Problem]:
    """No two inputs, and no two outputs, have one name."""
    for side in ("inputs", "outputs"):
        seen: set[tuple[KeyPath, str]] = set()
        for key, tensor in _items(located, side):
            name = tensor.get("name") if isinstance(tensor, dict) else None
            if isinstance(name, str) and (key[:-1], name) in seen:
                yield problem_at(located, (*key, "name"), f"{name!r} a second time", "a name of its own")
            elif isinstance(name, str):
                seen.add((key[:-1], name))


def check_steps(located: Located) -> Iterator[Problem]:
    """The step ``python`` has a source that compiles and defines its stage's function; ``published`` is the first."""
    for stage in STAGES:
        for key, step in _items(located, stage):
            if step == PYTHON:
                yield problem_at(located, key, "the step python without a source", "{python: SOURCE}")
            elif isinstance(step, dict) and PYTHON in step:
                yield from check_python(located, key, step[PYTHON], stage)


def check_python(located: Located, key: KeyPath, step: object, stage: str) -> Iterator[Problem]:
    """One step ``python``: its source alone, or a mapping with its source and convention."""
    source_key: KeyPath = (*key, PYTHON)
    if isinstance(step, dict):
        if stage == "preprocess" and step.get("convention") == PUBLISHED and key[-1] != 0:
            found = "a step before it, whose result it would not get: it opens the sample itself"
            yield problem_at(located, (*key, PYTHON, "convention"), found, "the first step of preprocess")
        step, source_key = step.get("source"), (*source_key, "source")
    if isinstance(step, str):
        yield from check_source(located, source_key, step, stage, "ctx, data")


def check_metric(located: Located) -> Iterator[Problem]:
    """``metric`` has a name, or Python that compiles and defines ``score``, with what else only Python needs."""
    metric = located.data.get("metric")
    if not isinstance(metric, dict) or located.data.get("kind") != "model":
        return
    name, source = metric.get("name"), metric.get(PYTHON)
    if PYTHON not in metric:
        yield from check_named_metric(located, metric)
    elif name is not None:
        yield problem_at(located, ("metric", "name"), "a name beside python", "one of both")
    if PYTHON in metric and "response" not in metric:
        yield problem_at(located, ("metric", "response"), "missing", "{dtype: DTYPE, shape: SHAPE} beside python")
    if isinstance(source, str):
        yield from check_source(located, ("metric", PYTHON), source, "score", SCORE)


def check_named_metric(located: Located, metric: Mapping[str, object]) -> Iterator[Problem]:
    """A metric without Python has a name, which is not that of Python, and nothing that only Python needs."""
    name = metric.get("name")
    if "name" not in metric:
        yield problem_at(located, ("metric", "name"), "missing", "text, or python in its place")
    if isinstance(name, str) and fold(name) == PYTHON:
        found = "the metric python without a source"
        yield problem_at(located, ("metric", "name"), found, "{python: SOURCE, response: {...}}")
    for key in ("response", "unit", "higher_is_better"):
        if key in metric:
            yield problem_at(located, ("metric", key), "only a metric of the manifest's own Python has it")


def check_functions(located: Located) -> Iterator[Problem]:
    """Each option of the data-set kind ``python`` is source that compiles and defines the function of its name."""
    provider, options = located.data.get("provider"), located.data.get("options")
    if isinstance(provider, str) and fold(provider) == PYTHON and isinstance(options, dict):
        for name, source in options.items():
            if name in FUNCTIONS and isinstance(source, str) and source:
                yield from check_source(located, ("options", name), source, name, FUNCTIONS[name])


def check_source(located: Located, key: KeyPath, source: str, function: str, arguments: str) -> Iterator[Problem]:
    """Python source of the file compiles and defines a function of that name; lines are those of the file."""
    first, shown = located.place(key).text_line, dotted(located.origin(key))
    try:
        defined = defined_names(source)
    except SyntaxError as error:
        line = first + max(error.lineno or 1, 1) - 1
        yield Problem(str(located.path), line, shown, f"Python that does not parse: {error.msg}")
    # Source with a NUL byte; source nested deeper than the compiler goes.
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        said = str(error) or type(error).__name__
        yield Problem(str(located.path), first, shown, f"Python that does not compile: {said}")
    else:
        if function not in defined:
            yield Problem(str(located.path), first, shown, f"Python that does not define {function}({arguments})")


def defined_names(source: str) -> set[str]:
    """The names that a module's source binds at its top level. Raises what ``compile`` raises; runs nothing."""
    with warnings.catch_warnings():
        # What the compiler thinks of a manifest's style is not the business of who checks it.
        warnings.simplefilter("ignore")
        compile(source, "<manifest>", "exec", dont_inherit=True)
        table = symtable.symtable(source, "<manifest>", "exec")
    symbols = table.get_symbols()
    return {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}


def _items(located: Located, name: str) -> Iterator[tuple[KeyPath, object]]:
    """The items of a list at the file's top and of each other framework, with their paths; none when it is no list."""
    for part in parts(located):
        if part.framework is None or name in part.own:
            items = part.data.get(name)
            for index, item in enumerate(items if isinstance(items, list) else []):
                yield (*part.path(name), index), item


def _is_range(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True
