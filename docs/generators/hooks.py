"""The hooks of ``hookspecs.py``: a heading with the exact signature, the docstring, and what the hook is given."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import FunctionType
from typing import Any

from generators.markdown import block, code, from_docstring, table
from mlharness import hookspecs, payloads, providers, registrars


def introduction() -> str:
    """What ``hookspecs.py`` says of all hooks, and the version of the hooks."""
    text = from_docstring(hookspecs.__doc__).partition("\n\n")[2]
    return f"\n{text}\n\nThe hooks have a version of their own, `HOOK_API`: {hookspecs.HOOK_API}.\n\n"


def sections(prefix: str) -> str:
    """A section for each hook whose name begins so, in the order of ``hookspecs.py``."""
    hooks = [(name, hook) for name, hook in vars(hookspecs).items() if name.startswith(prefix)]
    assert hooks, f"no hook begins with {prefix}"
    return "\n" + "".join(section(name, hook) for name, hook in hooks)


def section(name: str, hook: FunctionType) -> str:
    """One hook."""
    text = f"### `{name}{signature(hook)}`\n\n{from_docstring(hook.__doc__)}\n"
    given = next(iter(inspect.signature(hook).parameters.values())).annotation
    return text + (registrar(given) if name.startswith("mlh_register_") else payload(given))


def signature(function: Any) -> str:
    """Arguments and return type as they are written, without the quotes that postponed annotations get."""
    return str(inspect.signature(function)).replace("'", "")


def registrar(name: str) -> str:
    """The methods of a registrar, as they are written."""
    methods = [method for key, method in vars(getattr(registrars, name)).items() if not key.startswith("_")]
    return "".join(
        f"{block('py', f'registrar.{header(method)}')}{from_docstring(method.__doc__)}\n\n" for method in methods
    )


def header(method: FunctionType) -> str:
    """A method's name, arguments and return type, without ``self`` and without remarks to the checkers."""
    source = textwrap.dedent(inspect.getsource(method))
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    lines = source.splitlines()[: node.body[0].lineno - 1]
    text = "\n".join(line.partition("  # noqa")[0] for line in lines).rstrip().removesuffix(":")
    return text.removeprefix("def ").replace("(self, ", "(").replace("\n    self,", "")


def payload(name: str) -> str:
    """The fields of an observer's payload."""
    described = getattr(payloads, name)
    rows = [(code(field.name), code(str(field.type))) for field in described.__dataclass_fields__.values()]
    return f"\n{from_docstring(described.__doc__)}\n{table((name, 'type'), rows)}"


def source(*names: str) -> str:
    """Types of ``providers.py`` as they are written."""
    return block("py", "\n\n\n".join(inspect.getsource(getattr(providers, name)).rstrip() for name in names))
