"""What goes into an environment, and what pip is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mlharness.environments import recipe as module
from mlharness.environments.origins import Member, Origin
from mlharness.environments.parts import FrameworkPart, part_beside
from mlharness.environments.recipe import make_recipe, parse_framework
from mlharness.errors import UserError
from mlharness.plugins import Plugin, Plugins, build_manager
from mlharness.registrars import FrameworkRegistrar
from tests.unit.environments.making import editable, load, never

PLUGIN = """
[project]
name = "mlharness-oldie"
version = "0.1"
dependencies = ["mlharness", "numpy>=1.23"]
[project.optional-dependencies]
test = ["pytest"]
framework = ["oldie>=1.9,<2", "numpy<1.24; python_version < '3.12'"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree of the kernel with a plugin that nobody has installed."""
    folder = tmp_path / "plugins" / "mlharness-oldie"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PLUGIN, "utf-8")
    return tmp_path


@pytest.fixture
def plugins(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Frameworks ``engine`` (of a plugin that depends on it) and ``heavy``; steps; one blocked and one broken."""
    present = {name: editable(name, tree) for name in ("mlharness", "p-engine", "p-heavy", "p-steps", "p-off", "p-bad")}
    part = FrameworkPart(
        present["p-engine"], "", (Requirement("mlharness>=0.1"), Requirement("fake-engine>=1"), Requirement("numpy"))
    )
    monkeypatch.setattr(module, "members", lambda: present)
    monkeypatch.setattr(module, "installed_part", lambda member: part)
    found = build_manager(entry_points=[])
    frameworks = (("engine", "p-engine", "fake-engine"), ("heavy", "p-heavy", "h"), ("own", "p", ""))
    for name, plugin, requirement in frameworks:
        variants = {"fast": f"{requirement}-fast"}
        FrameworkRegistrar(found.catalog, plugin).framework(
            name, load=load, version=never, requirement=requirement, variants=variants, aliases=(f"The {name}",)
        )
    found.found += [Plugin("p-off", "1", "p-off", False, blocked=True), Plugin("p-bad", "1", "p-bad", False, "no")]
    return found


def test_other_frameworks_blocked_and_broken_plugins_stay_out(plugins: Plugins) -> None:
    made = make_recipe("the engine==2", plugins, requires=("pillow", "pillow"))
    assert made.framework == "engine"
    assert [member.name for member in made.others] == ["mlharness", "p-steps"]
    assert str(made.wished) == "fake-engine==2,>=1"
    assert made.requires == ("pillow",)
    assert made.python == Path(sys.executable)
    assert [member.name for member in make_recipe("engine", plugins, named=("p-heavy",)).others] == [
        "mlharness", "p-heavy", "p-steps",
    ]  # fmt: skip


def test_kernel_plugins_framework_and_the_rest_are_one_command(plugins: Plugins, tree: Path) -> None:
    made = make_recipe("engine", plugins)
    source = ["--editable", str(tree)]
    assert made.commands("2.0", ("pillow",)) == [[*source * 3, "fake-engine==2.0", "pillow"]]


def test_a_variant_replaces_the_distribution_that_the_plugin_depends_on(plugins: Plugins, tree: Path) -> None:
    made = make_recipe("engine<3", plugins, variant="fast")
    source = ["--editable", str(tree)]
    assert str(made.wished) == "fake-engine-fast<3,>=1"
    assert made.commands("2.0", ()) == [
        [*source * 2, "numpy", "fake-engine-fast==2.0"], ["--no-deps", *source],
    ]  # fmt: skip


def test_a_plugin_that_is_not_installed_comes_from_the_kernels_tree_with_its_extra(
    plugins: Plugins, tree: Path
) -> None:
    made = make_recipe("Oldie", plugins)
    assert (made.framework, str(made.wished)) == ("oldie", "Oldie<2,>=1.9")
    (words,) = made.commands("1.9.1", ())
    assert words[-3:] == ["--editable", f"{tree / 'plugins' / 'mlharness-oldie'}[framework]", "Oldie==1.9.1"]
    always = ["mlharness", "numpy>=1.23", "oldie<2,>=1.9"]
    assert [str(one) for one in made.part.needs("3.11.0")] == [*always, "numpy<1.24"]
    assert [str(one) for one in made.part.needs("3.12.0")] == always


def test_a_kernel_of_an_index_has_no_tree() -> None:
    assert part_beside(Member("mlharness", "0.1", Origin("index")), "oldie") is None


@pytest.mark.parametrize(
    ("framework", "variant", "words"),
    [
        ("engien", "", "no framework is named 'engien'"),
        ("engine", "fats", "engine has no variant 'fats'"),
        ("oldie", "gpu", "variants of oldie are not known here"),
        ("own", "", "needs no environment"),
        ("engine=1", "", "Invalid specifier"),
        ("==1", "", "names no framework"),
    ],
)
def test_mistakes(plugins: Plugins, framework: str, variant: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        make_recipe(framework, plugins, variant=variant)
    assert caught.value.remedy


def test_a_requirement_that_is_none(plugins: Plugins) -> None:
    with pytest.raises(UserError, match="'a b' is no requirement"):
        make_recipe("engine", plugins, requires=("a b",))


@pytest.mark.parametrize(
    ("text", "name", "specifier"),
    [("torch", "torch", ""), ("ONNX Runtime ~= 1.2", "ONNX Runtime", "~=1.2"), ("a>=1,<2", "a", "<2,>=1")],
)
def test_a_framework_and_its_range(text: str, name: str, specifier: str) -> None:
    found = parse_framework(text)
    assert (found[0], str(found[1])) == (name, specifier)
