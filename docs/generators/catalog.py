"""What mlharness and its reference plugins provide, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from generators.markdown import code, first_sentence, from_docstring, table
from mlharness.plugins import Plugins, build_manager
from mlharness.providers import Option, ResponseSpec
from mlharness.registrars import Catalog

REFERENCE = ("mlharness-onnxruntime", "mlharness-vision")
"""The plugins that the pages describe; others that happen to be installed would change them."""


def reference_catalog() -> Catalog:
    """What the built-in and the reference plugins provide. Raises RuntimeError when one cannot be loaded."""
    plugins = build_manager()
    described = [plugin for plugin in plugins.found if plugin.builtin or plugin.name in REFERENCE]
    missing = set(REFERENCE) - {plugin.name for plugin in described}
    broken = {plugin.name: plugin.error for plugin in described if plugin.error}
    if missing or broken:
        raise RuntimeError(f"plugins that the pages describe are missing or broken: {missing or ''} {broken or ''}")
    drop_others(plugins, {plugin.name for plugin in described})
    return plugins.catalog


def drop_others(plugins: Plugins, names: Iterable[str]) -> None:
    """Forget what any other plugin provides."""
    for plugin in plugins.found:
        if plugin.name not in names:
            plugins.catalog.drop(plugin.name)


def steps() -> str:
    """Every step: what it does, and its parameters."""
    rows = []
    for entry in sorted(reference_catalog().steps, key=lambda entry: entry.name):
        provider = entry.provider
        # the source stands where other steps have parameters, and the line is found by the reader of the file
        inline = entry.name == "python"
        parameters = "the source" if inline else "<br>".join(map(describe, provider.parameters)) or "none"
        rows.append((code(entry.name), from_docstring(provider.doc).partition("Raises:")[0], parameters, entry.plugin))
    return table(("step", "what it does", "parameters", "plugin"), rows)


def datasets() -> str:
    """Every kind of data set and its options."""
    shelf = reference_catalog().datasets
    return table(
        ("provider", "options", "plugin"),
        [
            (code(entry.name), "<br>".join(map(describe, entry.provider.options)) or "none", entry.plugin)
            for entry in sorted(shelf, key=lambda entry: entry.name)
        ],
    )


def frameworks() -> str:
    """Every framework, its other names and its options."""
    shelf = reference_catalog().frameworks
    return table(
        ("framework", "other names", "options", "plugin"),
        [
            (
                code(entry.name),
                ", ".join(entry.aliases),
                "<br>".join(map(describe, entry.provider.options)) or "none",
                entry.plugin,
            )
            for entry in sorted(shelf, key=lambda entry: entry.name)
        ],
    )


def metrics() -> str:
    """Every metric, and what a response must be."""
    rows = []
    for entry in sorted(reference_catalog().metrics, key=lambda entry: entry.name):
        own = entry.name == "python"
        response = "what `response` says" if own else describe_response(entry.provider.response({}))
        rows.append((code(entry.name), first_sentence(entry.provider.doc), response, entry.plugin))
    return table(("metric", "what it is", "response of a sample", "plugin"), rows)


def describe_response(response: ResponseSpec) -> str:
    """Dtype and row shape."""
    shape = ", ".join("any" if size is None else str(size) for size in response.shape)
    return f"{response.dtype} [{shape}]"


def describe(option: Option) -> str:
    """One option in a line."""
    facts: list[str] = [option.type]
    if option.choices:
        facts = [" or ".join(code(choice) for choice in option.choices)]
    if option.required:
        facts.append("required")
    elif option.default is not None:
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        facts.append(f"default {code(default)}")
    return f"{code(option.name)} ({', '.join(facts)}): {option.doc}"
