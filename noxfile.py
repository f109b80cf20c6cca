"""Everything that checks mlharness: ``nox`` alone is what CI runs, ``nox -l`` lists the rest."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PLUGINS = sorted(file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml"))
REFERENCE_PLUGINS = ("mlharness-onnxruntime", "mlharness-vision")
"""What the README's first command needs beside the kernel."""
NEEDED_BY_TESTS = {
    "mlharness-ctranslate2": ("mlharness-speech",),
    "mlharness-data": ("mlharness-onnxruntime",),
    "mlharness-language": ("mlharness-onnxruntime", "mlharness-torch"),
    "mlharness-medical": ("mlharness-onnxruntime",),
    "mlharness-speech": ("mlharness-torch",),
    "mlharness-torch": ("mlharness-onnxruntime", "mlharness-vision"),
    "mlharness-vision": ("mlharness-onnxruntime", "mlharness-tensorflow", "mlharness-torch"),
}
"""Plugins whose tests run models of another plugin's framework."""
LONG = ("mlharness-language", "mlharness-vision")
"""Plugins whose tests take more than a minute: they run two at a time."""
AT_ONCE = "2"
"""Tests at a time."""
EXTRAS = {"mlharness-language": "test,origin", "mlharness-vision": "test,origin"}
"""Extras other than ``test`` alone that a plugin's own tests want."""
ZOOS = {"mlharness-torch": "zoo,onnx"}
"""Extras without which a plugin lacks the models that every framework is measured with."""
OF_FRAMEWORKS = {"frameworks", "layers", "zoo"}
"""Benchmarks that need every plugin, and take much longer."""
LINTED = ("mlharness", "plugins", "tests", "docs", "noxfile.py")

# Of a framework's thousands of modules a session imports some: these compile when they are imported, the others never.
os.environ.setdefault("PIP_NO_COMPILE", "1")
# And they stay so: where this is set, as in many container images, every process of a test would compile them anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"  # everyone who has Python and pip has it
nox.options.reuse_venv = "no" if "CI" in os.environ else "yes"
nox.options.error_on_external_run = True
nox.options.sessions = ["tests", "plugins", "types", "lint", "docs", "wheel"]


def tools(*groups: str) -> tuple[str, ...]:
    """The pinned tools of these dependency groups of pyproject.toml."""
    return nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), *groups)


def folder(plugin: str, extras: str = "") -> str:
    """What pip installs a plugin of this checkout from."""
    return f"./plugins/{plugin}[{extras}]" if extras else f"./plugins/{plugin}"


@nox.session
def tests(session: nox.Session) -> None:
    """The kernel's tests, with the reference plugins installed."""
    install_kernel(session)
    run_tests(session, "python", "-m", "pytest")


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """How much of the kernel its tests cover, in all processes that they start; it slows them by half."""
    install_kernel(session)
    session.run("coverage", "erase")
    try:
        run_tests(session, "coverage", "run", "-m", "pytest")
    finally:
        session.run("coverage", "combine", "--quiet")
        session.run("coverage", "report")


def install_kernel(session: nox.Session) -> None:
    """The kernel with all that its tests need."""
    session.install(".[exports,postgresql,ui]", *map(folder, REFERENCE_PLUGINS), *tools("test", "browser"))


def run_tests(session: nox.Session, *pytest: str) -> None:
    """The tests that are asked for, or all: what asserts a figure has the machine for itself."""
    if session.posargs:
        session.run(*pytest, *session.posargs)
        return
    session.run(*pytest, "-n", AT_ONCE, "--dist", "loadgroup", "-m", "not alone")
    session.run(*pytest, "-m", "alone")


@nox.session
@nox.parametrize("plugin", PLUGINS, ids=PLUGINS)
def plugins(session: nox.Session, plugin: str) -> None:
    """A plugin's own tests, in an environment of its own."""
    needed = map(folder, NEEDED_BY_TESTS.get(plugin, ()))
    session.install(".", *needed, folder(plugin, EXTRAS.get(plugin, "test")), *tools("test"))
    session.chdir(ROOT / "plugins" / plugin)
    at_once = ("-n", AT_ONCE, "--dist", "worksteal") if plugin in LONG and not session.posargs else ()
    session.run("python", "-m", "pytest", *at_once, *session.posargs)
    give_back(session)


def give_back(session: nox.Session) -> None:
    """In CI, remove the environment of a session that has passed: all of them would take 30 GB at once."""
    if "CI" in os.environ:
        session.chdir(ROOT)
        shutil.rmtree(Path(session.bin).parent)


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on all Python of the project."""
    # tests of pages and of docs need theirs, and the server's libraries are typed
    session.install(".[ui]", *map(folder, REFERENCE_PLUGINS), *tools("test", "browser", "types", "docs"))
    # without the frameworks, gigabytes at which mypy would not look
    session.install("--no-deps", *(folder(plugin) for plugin in PLUGINS if plugin not in REFERENCE_PLUGINS))
    session.run("mypy", "mlharness", "tests", "noxfile.py")
    for plugin in PLUGINS:
        # one by one, since each has modules of tests that the others have too
        session.run("mypy", f"plugins/{plugin}")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, form, and the layers of the kernel."""
    session.install(".", *tools("lint"))
    session.run("ruff", "check", *LINTED)
    session.run("ruff", "format", "--check", *LINTED)
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Generated passages are fresh, and examples work. ``nox -s docs -- --write`` mends the former."""
    session.install(".[ui]", *map(folder, REFERENCE_PLUGINS), *tools("test", "docs"))
    pages = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/**/*.md"))]
    if "--write" in session.posargs:
        session.run("python", "-m", "cogapp", "-r", "-I", "docs", *pages)
        return
    advice = "Mend it with: nox -s docs -- --write"
    session.run("python", "-m", "cogapp", "--check", "--diff", f"--check-fail-msg={advice}", "-I", "docs", *pages)
    session.run("python", "-m", "pytest", "tests/docs")


@nox.session
def wheel(session: nox.Session) -> None:
    """What a user gets from the index works: built, installed into an empty environment, run from another folder."""
    session.install(*tools("wheel"))
    scratch = Path(session.create_tmp()).absolute()
    for name in ("dist", "empty", "elsewhere"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    for source in (".", *map(folder, REFERENCE_PLUGINS)):
        # by way of the sdist, which so proves complete
        session.run("python", "-m", "build", "--outdir", str(scratch / "dist"), source)
    session.run("python", "-m", "venv", str(scratch / "empty"))
    python = str(scratch / "empty" / "bin" / "python")
    wheels = sorted(map(str, (scratch / "dist").glob("*.whl")))
    wheels = [f"{path}[plots]" if "/mlharness-" in path else path for path in wheels]
    session.run(python, "-m", "pip", "install", "--quiet", *wheels, external=True)
    try_installed(session, scratch)


def try_installed(session: nox.Session, scratch: Path) -> None:
    """Benchmark the README's model and check the manifests with the ``mlh`` of the empty environment."""
    mlh = str(scratch / "empty" / "bin" / "mlh")
    elsewhere = scratch / "elsewhere"
    elsewhere.mkdir()
    moved = {f"MLH_{kind}_DIR": str(elsewhere / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}
    installed = [*ROOT.glob("manifests/*/null.yaml"), *ROOT.glob("plugins/mlharness-vision/src/*/manifests/*/*.yaml")]
    manifests = sorted(map(str, installed))  # the families need the plugins of their zoos
    with session.chdir(elsewhere):
        with (elsewhere / "result.json").open("w", encoding="utf-8") as printed:
            session.run(
                mlh, "bench", "efficientnet-lite0", "--json", env=moved, stdout=printed, stderr=None, external=True
            )
        session.run(mlh, "validate", *manifests, env=moved, external=True)
        session.run(mlh, "runs", "show", "@last", env=moved, external=True)  # the store's migrations came along
        session.run(mlh, "report", "@last", env=moved, external=True)  # and so did the templates
    result = json.loads((elsewhere / "result.json").read_text(encoding="utf-8"))
    if result["status"] != "valid":
        session.error(f"the benchmark is {result['status']}: {result.get('invalid_reasons')}")
    session.log(f"valid: {result['metric']}")


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """How fast mlharness itself is; ``-- frameworks``, ``layers`` and ``zoo`` take longer. Wants an idle machine."""
    if not OF_FRAMEWORKS.intersection(session.posargs):
        session.install(".", *map(folder, REFERENCE_PLUGINS), *tools("test"))
        session.run("python", "-m", "tests.benchmarks", *session.posargs)
        return
    session.install(".", *(folder(plugin, ZOOS.get(plugin, "")) for plugin in PLUGINS), *tools("test"))
    # environments of its own: those of the user hold what the user runs
    moved = {"MLH_DATA_DIR": str(Path(session.create_tmp()).absolute() / "data")}
    # 2: this Python is too new for MXNet, which is then left out, and said so
    session.run("mlh", "env", "create", "mxnet", env=moved, success_codes=[0, 2])
    session.run("python", "-m", "tests.benchmarks", *session.posargs, env=moved)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """What shows only over time or in great number. Takes half an hour; ``-- null`` and ``-- counted`` some minutes."""
    install_kernel(session)
    if not session.posargs or session.posargs == ["counted"]:
        session.run("python", "-m", "pytest", "--full", "-m", "counted")
    if session.posargs != ["counted"]:
        session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """20,000 malformed manifests, configurations and command lines. Takes a few minutes; ``-- --seed N`` for others."""
    session.install(".", *map(folder, REFERENCE_PLUGINS), *tools("test"))
    failures = Path(session.create_tmp()).absolute() / "failures"
    session.run("python", "-m", "tests.fuzz", "--failures", str(failures), *session.posargs)


@nox.session(default=False, venv_backend="none")
def dev(session: nox.Session) -> None:
    """Make ``.venv`` with the kernel and all plugins editable, and every tool."""
    session.run(sys.executable, "-m", "venv", ".venv", external=True)
    editable = [word for source in (".[postgresql,ui]", *map(folder, PLUGINS)) for word in ("--editable", source)]
    pip = (".venv/bin/python", "-m", "pip", "install")
    session.run(*pip, *editable, *tools("test", "browser", "types", "lint", "docs", "wheel"), external=True)
    session.log("Activate it with: source .venv/bin/activate")
