"""``mlh env``: makes, shows, removes and exports the environments in which frameworks are benchmarked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlharness.cli.options import block_option, complete_models, output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup
from mlharness.errors import PluginError, UserError

if TYPE_CHECKING:
    from mlharness.environments.creating import Telling
    from mlharness.environments.record import Record
    from mlharness.plugins import Plugins

FORMATS = ("lock", "dockerfile", "mlcube")


@click.group(cls=SpellingGroup)
def command() -> None:
    """Make, list, show, remove and export environments for frameworks and their versions."""


def complete_environments(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of environments that begin like this."""
    from mlharness.environments.shelf import environments

    return [record.name for record in environments() if record.name.startswith(incomplete)]


name_argument = click.argument("name", metavar="NAME", shell_complete=complete_environments)
model_option = click.option(
    "--model", metavar="MODEL", shell_complete=complete_models, help="A manifest's name or path: what it needs, too."
)


@command.command()
@click.argument("framework", metavar="FRAMEWORK[==VERSION]", required=False)
@click.option("--from", "lock", type=click.Path(path_type=Path), metavar="LOCK", help="Make what a lock holds.")
@click.option("--python", metavar="VERSION", help="3.10, 3.10.13 or the path of an interpreter; else the running one.")
@click.option("--variant", metavar="NAME", default="", help="Another build of the framework, such as gpu.")
@click.option("--requires", multiple=True, metavar="PKG", help="A package to install too; can be repeated.")
@model_option
@click.option("--name", metavar="NAME", help="What to call it; else framework, version, variant and Python.")
@block_option
@output_options
def create(
    framework: str | None,
    lock: Path | None,
    python: str | None,
    variant: str,
    requires: Sequence[str],
    model: str | None,
    name: str | None,
    block: Sequence[str],
    output: Output,
) -> None:
    """Make an environment with FRAMEWORK, the kernel and the plugins that are running.

    A PEP 440 range takes the newest version in it: 'torch>=2.2,<2.4'. An environment that is there is kept, unless
    kernel or plugins have changed since: then it is made anew.
    """
    from mlharness.cli.discovery import discover

    if (framework is None) == (lock is None):
        raise UserError("give either FRAMEWORK or --from LOCK", "See: mlh env create --help")
    if lock is not None:
        given = [
            f"--{word}" for word, value in (("variant", variant), ("requires", requires), ("model", model)) if value
        ]
        if given:
            raise UserError(f"--from LOCK goes with no {given[0]}", "A lock says all that is installed; leave it out.")
        _create_from(lock, python, name, output)
        return
    assert framework is not None, "one of both is given"
    _create(framework, discover(block), (python, variant, requires, model, name), output)


def _create(
    framework: str,
    plugins: Plugins,
    chosen: tuple[str | None, str, Sequence[str], str | None, str | None],
    output: Output,
) -> None:
    from mlharness.environments.creating import create as make
    from mlharness.environments.recipe import make_recipe
    from mlharness.interrupts import interruptible

    python, variant, requires, model, name = chosen
    try:
        asked, named = _needs(model, plugins) if model else ((), frozenset[str]())
        recipe = make_recipe(
            framework, plugins, python=python, variant=variant, requires=(*requires, *asked), named=named
        )
    except PluginError as error:
        raise plugins.explain(error) from error
    with interruptible():
        record, made = make(recipe, name, _telling(output))
    _show_made(output, record, made)
    if recipe.part.member.name not in {plugin.name for plugin in plugins.found}:
        output.note(
            f"Before you use it: {recipe.part.member.name} is not installed where mlh runs. "
            f"Run: pip install {recipe.part.member.origin.source}"
        )


def _create_from(lock: Path, python: str | None, name: str | None, output: Output) -> None:
    from mlharness.environments.comparing import differences
    from mlharness.environments.rebuilding import create_from
    from mlharness.interrupts import interruptible

    with interruptible():
        record, made = create_from(lock, python, name, _telling(output))
    _show_made(output, record, made)
    if told := differences(record):
        own = Path(record.interpreter).parent / "mlh"
        output.note(f"This mlh does not use it, since {'; '.join(told)}. It has its own: {own}")


def _needs(model: str, plugins: Plugins) -> tuple[tuple[str, ...], frozenset[str]]:
    """What a model's manifests require, and the plugins that its processing is from."""
    from mlharness.manifest.library import ManifestLibrary
    from mlharness.planning import needs_of
    from mlharness.request import find_dataset

    library = ManifestLibrary(plugins.catalog)
    found = library.model(model)
    return needs_of(found, find_dataset(found, None, library), plugins.catalog)


def _telling(output: Output) -> Telling:
    from mlharness.environments.creating import Telling

    return Telling(output.note, output.detail)


def _show_made(output: Output, record: Record, made: bool) -> None:
    output.note(f"{record.name} is {'made' if made else 'there already'}.")
    output.show(lambda: {"made": made, "environment": record}, lambda: output.line(record.interpreter))


@command.command("list")
@output_options
def list_environments(output: Output) -> None:
    """List environments, the newest first, and why one of them is not used."""
    from mlharness.environments.comparing import differences
    from mlharness.environments.shelf import environments

    rows = [(record, differences(record)) for record in environments()]
    if not rows and not output.json:
        output.note("No environment has been made. Make one with: mlh env create FRAMEWORK")
        return
    output.show(
        lambda: {"environments": [_row(record, told) for record, told in rows]},
        lambda: output.table(
            ("NAME", "FRAMEWORK", "PYTHON", "CREATED", "STATE"),
            [
                [record.name, f"{record.framework} {record.framework_version}", record.python, record.created[:16],
                 "; ".join(told) or "usable"]
                for record, told in rows
            ],
        ),
    )  # fmt: skip


def _row(record: Record, told: Sequence[str]) -> dict[str, Any]:
    keys = ("name", "framework", "framework_version", "variant", "python", "interpreter", "created")
    return {**{key: getattr(record, key) for key in keys}, "usable": not told, "differences": list(told)}


@command.command()
@name_argument
@output_options
def show(name: str, output: Output) -> None:
    """Show the environment NAME: its framework, kernel, plugins and where they are from, and every package."""
    from mlharness.cli.listing import show_fields
    from mlharness.environments.shelf import find

    record = find(name)
    if output.json:
        output.show(lambda: record, lambda: None)
        return
    keys = ("name", "framework", "framework_version", "distribution", "variant", "python", "interpreter", "created")
    members = {member.name: f"{member.version}, {member.origin}" for member in record.members}
    fields = {key: getattr(record, key) for key in keys}
    show_fields(output, {**fields, "requires": record.requires, "members": members, "packages": record.packages})


@command.command()
@name_argument
@output_options
def remove(name: str, output: Output) -> None:
    """Remove the environment NAME. What runs in it fails."""
    from mlharness.environments.shelf import remove as take_away

    take_away(name, output.note)
    output.show(lambda: {"removed": name}, lambda: output.note(f"Removed: {name}"))


@command.command()
@name_argument
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="lock", show_default=True,
    help="A lock with hashes, or a folder with it and a Dockerfile, or also an MLCube.",
)  # fmt: skip
@click.option("--model", metavar="MODEL", shell_complete=complete_models, help="The model that the container measures.")
@click.option(
    "--output", "target", type=click.Path(path_type=Path), metavar="PATH",
    help="File of the lock (wheels/ comes beside it), else folder.",
)  # fmt: skip
@block_option
@output_options
def export(name: str, form: str, model: str | None, target: Path | None, block: Sequence[str], output: Output) -> None:
    """Write the environment NAME so that it can be made elsewhere.

    Without --output the lock is printed.
    """
    from mlharness.environments.locking import make_lock, write_lock
    from mlharness.environments.shelf import find
    from mlharness.interrupts import interruptible

    record = find(name)
    if form != "lock":
        _export_folder(record, form, model, target, block, output)
        return
    if model is not None:
        raise UserError("--model goes with no lock", "Leave it out, or use --format dockerfile or mlcube.")
    with interruptible():
        if target is None:
            text = make_lock(record, None, _telling(output)).text
            output.show(lambda: {"lock": text}, lambda: output.line(text.rstrip()))
            return
        files = write_lock(record, target, _telling(output))
    _show_files(output, files)


def _export_folder(
    record: Record, form: str, model: str | None, target: Path | None, block: Sequence[str], output: Output
) -> None:
    from mlharness.cli.discovery import library
    from mlharness.environments.containers import write_container
    from mlharness.interrupts import interruptible
    from mlharness.manifest.library import is_path

    if target is None:
        raise UserError(f"--format {form} writes several files", "Name a folder for them: --output DIR")
    if model is None:
        raise UserError(f"--format {form} needs the model that the container measures", "Name it: --model MODEL")
    if is_path(model):
        raise UserError(
            f"--model {model}: a file of this machine is not in the container",
            "Name a model that a plugin ships, and run the image with a mounted manifest instead: "
            "docker run --entrypoint mlh -v DIR:/work IMAGE bench /work/MANIFEST",
        )
    found = library(block).model(model)
    with interruptible():
        files = write_container(record, form == "mlcube", found.name, target, _telling(output))
    _show_files(output, files)


def _show_files(output: Output, files: Sequence[Path]) -> None:
    output.show(lambda: {"files": files}, lambda: output.line("\n".join(map(str, files))))
