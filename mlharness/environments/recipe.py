"""What goes into an environment: the framework, its plugin, the other plugins, and what a manifest requires."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from mlharness.environments.origins import Member, members, words_for_pip
from mlharness.environments.parts import FrameworkPart, installed_part, part_beside
from mlharness.environments.pythons import find_python
from mlharness.errors import PluginError, UserError, did_you_mean
from mlharness.plugins import GROUP, Plugins, canonical
from mlharness.providers import FrameworkProvider
from mlharness.registrars import Registered


@dataclass(frozen=True)
class Recipe:
    """Everything that is known before pip is asked for the framework's version.

    ``wished`` is the distribution that carries the framework, with the range that binds: the user's and the plugin's.
    ``replaced`` is the framework's own distribution when a variant takes its place, else empty.
    """

    framework: str
    variant: str
    wished: Requirement
    replaced: str
    part: FrameworkPart
    others: tuple[Member, ...]
    requires: tuple[str, ...]
    python: Path
    python_version: str

    def commands(self, version: str, requires: Sequence[str]) -> list[list[str]]:
        """What ``pip install`` is told, one command after the other, once the framework's version is known.

        Kernel, plugins, framework and the rest are one command, so that pip resolves them together. A variant needs a
        second one: the plugin depends on the distribution that the variant replaces, so it is installed without its
        dependencies, and the others of them are named in the first.
        """
        pinned = f"{self.wished.name}=={version}"
        words = [word for member in self.others for word in words_for_pip(member)]
        if not self.replaced:
            return [[*words, *words_for_pip(self.part.member, self.part.extra), pinned, *requires]]
        needs = [one for one in self.part.needs(self.python_version) if canonical(one.name) != canonical(self.replaced)]
        kept = [str(one) for one in needs if canonical(one.name) != GROUP]  # the kernel is among the others
        return [[*words, *kept, pinned, *requires], ["--no-deps", *words_for_pip(self.part.member)]]


def make_recipe(
    framework: str,
    plugins: Plugins,
    *,
    python: str | None = None,
    variant: str = "",
    requires: Sequence[str] = (),
    named: Collection[str] = (),
) -> Recipe:
    """The recipe for a framework.

    Args:
        framework: its name or an alias in any case, and a PEP 440 range if any: ``torch``, ``torch==2.2``.
        plugins: the loaded plugins; those that are blocked or broken are left out.
        python: the version of Python; None for the running one.
        variant: a key of the framework's variants.
        requires: PEP 508 requirements of manifests.
        named: plugins that must be in it, though they bring another framework.

    Raises:
        UserError: an unknown framework, variant or Python, or a framework that is a part of its plugin.
    """
    name, specifier = parse_framework(framework)
    path, version = find_python(python)
    present = members()
    registered, part = find_part(name, plugins, present)
    own = registered.provider.requirement if registered else name
    if not own:
        raise UserError(
            f"framework {name!r} needs no environment: it is a part of its plugin",
            f"Use it where mlh runs: mlh bench MODEL --framework {name}",
        )
    distribution = distribution_of(name, own, variant, registered.provider if registered else None)
    within = specifier & part.range_of(own, version)
    return Recipe(
        framework=registered.name if registered else canonical(name),
        variant=variant,
        wished=Requirement(f"{distribution}{within}"),
        replaced=own if distribution != own else "",
        part=part,
        others=tuple(others(part, plugins, present, {canonical(one) for one in named})),
        requires=tuple(dict.fromkeys(map(check_requirement, requires))),
        python=path,
        python_version=version,
    )


def parse_framework(text: str) -> tuple[str, SpecifierSet]:
    """A framework's name (which may be of several words), and the range behind it."""
    at = next((place for place, char in enumerate(text) if char in "<>=!~"), len(text))
    name = text[:at].strip()
    try:
        specifier = SpecifierSet(text[at:])
    except ValueError as error:
        raise UserError(
            f"{text!r}: {error}", "Write NAME, NAME==VERSION or another range: 'torch>=2.2,<2.4'."
        ) from error
    if not name:
        raise UserError(f"{text!r} names no framework", "Write NAME or NAME==VERSION.")
    return name, specifier


def check_requirement(text: str) -> str:
    """The requirement as it is. Raises UserError when it is none."""
    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise UserError(f"{text!r} is no requirement: {error}", "Write a package, with a range if any.") from error
    return text


def find_part(
    name: str, plugins: Plugins, present: dict[str, Member]
) -> tuple[Registered[FrameworkProvider] | None, FrameworkPart]:
    """The framework's plugin: installed where mlh runs, else (with nothing registered) in the kernel's source tree."""
    try:
        registered = plugins.catalog.frameworks.find(name)
    except PluginError as error:
        part = part_beside(present[GROUP], name)
        if part is None or name in plugins.catalog.frameworks.names():
            raise plugins.explain(error) from error
        return None, part
    if registered.plugin not in present:  # a built-in
        return registered, FrameworkPart(present[GROUP], "", ())
    return registered, installed_part(present[registered.plugin])


def distribution_of(name: str, own: str, variant: str, provider: FrameworkProvider | None) -> str:
    """The distribution of a variant; the framework's own without one."""
    if not variant:
        return own
    if provider is None:
        remedy = f"Install its plugin where mlh runs first, which knows them: pip install {GROUP}-{canonical(name)}"
        raise UserError(f"the variants of {name} are not known here", remedy)
    if variant not in provider.variants:
        raise UserError(f"{name} has no variant {variant!r}", did_you_mean(variant, provider.variants))
    return provider.variants[variant]


def others(part: FrameworkPart, plugins: Plugins, present: dict[str, Member], named: Collection[str]) -> list[Member]:
    """The kernel, and every plugin but those that bring a framework of their own, unless they are named.

    Two frameworks in one environment may want different versions of one package; a plugin whose framework is a part
    of it wants none.
    """
    foreign = {entry.plugin for entry in plugins.catalog.frameworks if entry.provider.requirement} - set(named)
    unusable = {plugin.name for plugin in plugins.found if plugin.error or plugin.blocked}
    left_out = (foreign | unusable | {part.member.name}) - {GROUP}
    return [member for name, member in sorted(present.items()) if name not in left_out]
