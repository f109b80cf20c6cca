"""``mlh init``: writes the beginning of something that its author goes on with."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlharness.cli.options import block_option, complete_datasets, complete_frameworks, complete_models, output_options
from mlharness.cli.output import Output
from mlharness.cli.usage import SpellingGroup

if TYPE_CHECKING:
    from mlharness.authoring.draft import Author, Wanted
    from mlharness.plugins import Plugins
    from mlharness.providers import TensorSpec

parent_option = click.option(
    "--output", "parent", metavar="DIR", default=".", type=click.Path(path_type=Path),
    help="The folder that gets the plugin's folder; the current one by default.",
)  # fmt: skip
NONE = "none"
"""The answer by which an author wants random numbers instead of another model's data."""


@click.group(cls=SpellingGroup)
def command() -> None:
    """Write the beginning of a manifest, of a package of manifests, or of a plugin: complete, and it runs."""


@command.command()
@click.argument("name", metavar="NAME")
@parent_option
@output_options
def plugin(name: str, parent: Path, output: Output) -> None:
    """Write the plugin mlharness-NAME: a framework, a step, a model to run, and tests that pass as they are.

    Everything is in the folder mlharness-NAME, which must not exist yet.
    """
    from mlharness.authoring.distribution import PREFIX, check_free, check_name, render
    from mlharness.cli.discovery import discover

    short = check_name(name)
    check_free(short, discover())
    _write(output, parent / f"{PREFIX}{short}", render("plugin", short))


@command.command()
@click.argument("name", metavar="NAME")
@click.argument("manifests", metavar="MANIFEST...", nargs=-1, required=True, type=click.Path(path_type=Path))
@parent_option
@block_option
@output_options
def package(name: str, manifests: tuple[Path, ...], parent: Path, block: Sequence[str], output: Output) -> None:
    """Write the package mlharness-NAME, which publishes each MANIFEST with the files and data that it names.

    Whoever installs it benchmarks the models by their names. Everything is in the folder mlharness-NAME, which must not
    exist yet.
    """
    from mlharness.authoring.distribution import PREFIX, check_free, check_name
    from mlharness.authoring.packing import pack
    from mlharness.cli.discovery import discover

    short, plugins = check_name(name), discover(block)
    check_free(short, plugins)
    _write(output, parent / f"{PREFIX}{short}", pack(short, manifests, plugins.catalog))


@command.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--framework", metavar="NAME", shell_complete=complete_frameworks, help="What runs the files.")
@click.option("--name", metavar="NAME", help="The model's name; by default from that of its first file.")
@click.option(
    "--dataset", metavar="NAME", shell_complete=complete_datasets, help="A data set; by default, random numbers."
)
@click.option(
    "--like", metavar="MODEL", shell_complete=complete_models,
    help="Take data set, processing and metric from another model.",
)  # fmt: skip
@click.option(
    "--shape", "shapes", multiple=True, metavar="INPUT=SIZE,...",
    help="Sizes of an input that has free axes, without the batch axis; can be given more than once.",
)  # fmt: skip
@click.option("--random-weights", is_flag=True, help="The weights are no trained ones.")
@click.option(
    "--output", "target", metavar="FILE.yaml", type=click.Path(path_type=Path),
    help="The manifest; NAME.yaml in the current folder by default.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace what is there.")
@block_option
@output_options
def model(
    files: tuple[str, ...], framework: str | None, name: str | None, dataset: str | None, like: str | None,
    shapes: Sequence[str], random_weights: bool, target: Path | None, force: bool, block: Sequence[str], output: Output,
) -> None:  # fmt: skip
    """Write the manifest of a model from its files: paths, or the URI of a zoo's model.

    The model is loaded to learn its inputs and outputs, and answers one sample before anything is written. What cannot
    be known is asked for in a terminal, and otherwise left to the options.
    """
    from mlharness.authoring.draft import Author, Wanted, check_shapes, name_from
    from mlharness.cli.discovery import discover
    from mlharness.cli.progress import make_watch
    from mlharness.errors import PluginError

    plugins = discover(block)
    called = name or name_from(files[0])
    written = target or Path(f"{called}.yaml")
    _check_target(written, force)
    wanted = Wanted(
        _from_manifest(files, written), framework or _ask_framework(files, plugins), called, written,
        "random" if random_weights else "trained", dataset, like, parse_shapes(shapes),
    )  # fmt: skip
    author = Author(plugins, make_watch(output), tuple(block))
    try:
        inputs, outputs = author.inspect(wanted)
        check_shapes(wanted.shapes, inputs)
        draft = author.draft(_ask(author, wanted, inputs), inputs, outputs)
    except PluginError as error:
        raise plugins.explain(error) from error
    for path, text in draft.texts(written).items():
        _write_file(path, text)
    document = {"files": [str(path) for path in draft.texts(written)], "manifest": draft.model}
    output.show(lambda: document, lambda: _tell_model(output, list(document["files"])))


def parse_shapes(texts: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    """``--shape INPUT=SIZE,...`` as sizes by input. Raises UserError for anything else."""
    from mlharness.errors import UserError

    shapes = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        parts = sizes.split(",")
        if not name or not all(part.isdecimal() and int(part) for part in parts):
            raise UserError(f"--shape {text!r} is no shape", "Write the input and its sizes: --shape images=3,224,224.")
        shapes[name] = tuple(map(int, parts))
    return shapes


def _from_manifest(files: Sequence[str], manifest: Path) -> tuple[str, ...]:
    """The files as a manifest at that place names them: relative to it where they lie in its folder."""
    base = manifest.absolute().parent
    named = []
    for file in files:
        path = Path(file).absolute()
        inside = "://" not in file and path.is_relative_to(base)
        named.append(str(path.relative_to(base)) if inside else file if "://" in file else str(path))
    return tuple(named)


def _ask_framework(files: Sequence[str], plugins: Plugins) -> str:
    """The framework of the files; asked for in a terminal when several may be, or none. Raises UserError elsewhere."""
    from mlharness.authoring.draft import find_frameworks
    from mlharness.errors import UserError

    found = find_frameworks(files, plugins)
    if len(found) == 1:
        return found[0]
    known = found or plugins.catalog.frameworks.names()
    if not sys.stdin.isatty():
        why = "several frameworks run such files" if found else "no installed framework knows files of this name"
        raise UserError(f"{files[0]}: {why}", f"Say which: --framework NAME, one of {', '.join(known)}.")
    answer: str = click.prompt("Framework", type=click.Choice(known), err=True)
    return answer


def _ask(author: Author, wanted: Wanted, inputs: Sequence[TensorSpec]) -> Wanted:
    """In a terminal: like which model it is to be processed, and the sizes of free axes, where nobody has said it."""
    from dataclasses import replace

    if not sys.stdin.isatty() or wanted.dataset or wanted.like:
        return wanted
    if names := author.similar(inputs, wanted.framework):
        question = f"Data and processing as of which model ({', '.join(names)}), or {NONE}: random numbers"
        like = click.prompt(question, default=names[0], type=click.Choice([*names, NONE]), show_choices=False, err=True)
        if like != NONE:
            return replace(wanted, like=like)
    asked = {spec.name: spec for spec in inputs if None in spec.shape[1:] and spec.name not in wanted.shapes}
    return replace(wanted, shapes={**wanted.shapes, **{name: _ask_shape(spec) for name, spec in asked.items()}})


def _ask_shape(spec: TensorSpec) -> tuple[int, ...]:
    free = ",".join(str(size or "free") for size in spec.shape[1:])
    sizes: str = click.prompt(
        f"Sizes of one sample of {spec.name} [{free}]", default=",".join(str(size or 1) for size in spec.shape[1:]),
        err=True,
    )  # fmt: skip
    return parse_shapes([f"{spec.name}={sizes}"])[spec.name]


def _check_target(target: Path, force: bool) -> None:
    """Raise UserError when something that would be written is there."""
    from mlharness.authoring.draft import dataset_path
    from mlharness.errors import UserError

    for path in (target, dataset_path(target)):
        if path.exists() and not force:
            raise UserError(f"{path} exists already", "Choose another with --output, or replace it with --force.")


def _write_file(path: Path, text: str) -> None:
    from mlharness.errors import UserError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", "Choose another with --output.") from error


def _tell_model(output: Output, files: Sequence[str]) -> None:
    for path in files:
        output.line(path)
    output.note(f"Next: mlh bench {files[0] if '/' in files[0] else f'./{files[0]}'}; then say in it what is yours.")


def _write(output: Output, folder: Path, files: Mapping[str, str | Path]) -> None:
    from mlharness.authoring.distribution import write

    write(folder, files)
    document = {"folder": str(folder), "files": list(files)}
    output.show(lambda: document, lambda: _tell(output, folder, list(files)))


def _tell(output: Output, folder: Path, files: list[str]) -> None:
    for path in files:
        output.line(str(folder / path))
    output.note(f'Next: cd {folder}, then pip install --editable ".[test]", then pytest.')
