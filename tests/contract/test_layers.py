"""The kernel's layers hold, and importing any of its modules does nothing but define things."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlharness

ROOT = Path(__file__).parents[2]


def modules() -> list[str]:
    """Every module of the kernel but those that are programs."""
    found = pkgutil.walk_packages(mlharness.__path__, "mlharness.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def test_the_contracts_of_import_linter_hold() -> None:
    pytest.importorskip("importlinter", reason="the tests' environment of nox has no linters; nox -s lint runs them")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


_IMPORT = """
import importlib, os, sys, threading

# What third parties do when they are imported is their business: they are imported first.
for name in {libraries}:
    importlib.import_module(name)
EVENTS = {{"open", "os.mkdir", "os.putenv", "os.chdir", "socket.__new__", "subprocess.Popen", "signal.signal"}}
seen = []

def note(event, what):
    frame = sys._getframe(2)
    while frame is not None and "<frozen importlib" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith({package!r}):
            seen.append((event, str(what), frame.f_code.co_filename))
            return
        # Third parties may read the environment when they are called, as click does for its translations.
        if event == "environment" and not frame.f_code.co_filename.endswith(("os.py", "<frozen os>", "<string>")):
            return
        frame = frame.f_back

class Watched(dict):
    def __getitem__(self, key):
        note("environment", key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        note("environment", key)
        return super().get(key, default)

os.environ = Watched(os.environ)
sys.addaudithook(lambda event, arguments: note(event, arguments[:1]) if event in EVENTS else None)
threads = threading.active_count()
for name in {modules}:
    importlib.import_module(name)
assert threading.active_count() == threads, threading.enumerate()
frameworks = {{"onnxruntime", "torch", "tensorflow", "mxnet", "PIL"}} & set(sys.modules)
assert not frameworks, frameworks
print(seen)
"""
LIBRARIES = ("click", "filelock", "jsonschema", "mlperf_loadgen", "msgspec", "numpy", "packaging.requirements",
             "platformdirs", "pluggy", "pooch", "psutil", "requests", "rich.live", "waitress", "werkzeug.test",
             "yaml")  # fmt: skip


def watched(package: str, wanted: list[str], folder: Path) -> str:
    """What importing these modules of that folder was seen to do, as a list."""
    program = _IMPORT.format(libraries=LIBRARIES, package=package, modules=wanted)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "source",
    [
        "open(__file__)",
        "import os; os.environ.get('HOME')",
        "import os; os.getenv('HOME')",
        "from pathlib import Path; Path(__file__).read_text()",
    ],
)
def test_the_watch_sees_what_it_is_for(tmp_path: Path, source: str) -> None:
    (tmp_path / "guilty.py").write_text(source)
    assert "guilty.py" in watched(str(tmp_path / "guilty.py"), ["guilty"], tmp_path)


def test_importing_reads_no_file_no_environment_and_starts_nothing() -> None:
    wanted = [name for name in modules() if not name.startswith("mlharness.testing")]
    package = Path(mlharness.__file__ or "").parent
    assert watched(str(package), wanted, package.parent) == "[]"


# The parent must not import these: LoadGen keeps process-global state, frameworks take threads and memory.
@pytest.mark.parametrize("module", ["mlharness.cli.main", "mlharness.cli.bench", "mlharness.bench", "mlharness.floor"])
def test_the_parent_imports_no_loadgen(module: str) -> None:
    program = f"import sys, {module}; print({{'mlperf_loadgen', 'onnxruntime'}} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"


def source_files() -> Iterator[Path]:
    yield from Path(mlharness.__file__ or "").parent.rglob("*.py")


def test_functions_and_files_are_as_short_as_the_house_wants_them() -> None:
    import ast

    long_files = [path.name for path in source_files() if len(path.read_text("utf-8").splitlines()) > 400]
    assert long_files == []
    lengths = {
        f"{path.name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 10
