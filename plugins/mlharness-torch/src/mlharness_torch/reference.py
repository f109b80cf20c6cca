"""What is known of the operators of one call: modules, tensors, memory. All calls with one form of batch share it."""

from __future__ import annotations

import json
import re
import threading
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time_ns
from typing import Any

import torch

from mlharness_torch.profiling import Begun, by_thread, profile

_DTYPES = {
    "float": "float32", "double": "float64", "c10::Half": "float16", "c10::BFloat16": "bfloat16", "bool": "bool",
    "signed char": "int8", "unsigned char": "uint8", "short": "int16", "short int": "int16", "int": "int32",
    "long": "int64", "long int": "int64", "c10::complex<float>": "complex64", "c10::complex<double>": "complex128",
}  # fmt: skip
"""PyTorch's C++ names for the dtypes of tensors; other arguments have other types."""
_MEMORY = "[memory]"
_SUBMODULE = re.compile(r"::\w+\.([\w.]+)\(")


@dataclass(frozen=True)
class About:
    """One operator: the path of its module, what it is called in its graph, and further facts for its attributes."""

    module: str = ""
    title: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """The operators of a call in the order in which they began, and what is known of each."""

    names: tuple[str, ...]
    abouts: tuple[About, ...]


def refer(call: Callable[[], Any], module: torch.nn.Module, compiled: bool = False) -> Reference:
    """Call a model under a profile that looks at everything.

    Args:
        call: calls it, on the calling thread.
        module: the model.
        compiled: by torch.compile, so that submodules cannot be watched: it would be compiled anew.
    """
    scripted = isinstance(module, torch.jit.ScriptModule)
    watch = ModuleWatch(None if scripted or compiled else module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript's modules can be had in no other way
        with watch.watching(), profile(record_shapes=True, profile_memory=True, with_modules=scripted) as found:
            call()
    events = found.kineto_results.events()
    operators = by_thread(events).get(threading.get_native_id(), [])
    paths = scripted_modules(found.kineto_results) if scripted else {}
    allocated = Allocated(events)
    shapes = frozenset(tuple(tensor.shape) for tensor in (*module.parameters(), *module.buffers()))
    abouts = []
    for one in operators:
        path = paths.get((one.name, one.start), "") if scripted else watch.module_at(one.start)
        abouts.append(About(path, "", facts(events[one.place], shapes, allocated.within(one))))
    names = tuple(one.name for one in operators)
    return Reference(names, tuple(abouts if compiled else with_titles(names, abouts, module)))


def facts(event: Any, parameters: frozenset[tuple[int, ...]], allocated: int) -> dict[str, Any]:
    """Tensors that an operator takes, the memory that it asked for, and the bytes of what it takes of the model.

    Args:
        event: of a profile with shapes.
        parameters: the shapes of the model's parameters and buffers, by which they are known.
        allocated: in bytes.
    """
    tensors: list[tuple[str, list[int]]] = [
        (_DTYPES[dtype], list(shape))
        for dtype, shape in zip(event.dtypes(), event.shapes(), strict=False)
        if dtype in _DTYPES
    ]
    found: dict[str, Any] = {"inputs": tensors} if tensors else {}
    weights = tensors if event.name() == "aten::embedding" else tensors[1:]
    held = sum(size_of(dtype, shape) for dtype, shape in weights if shape and tuple(shape) in parameters)
    if held:
        found["parameter_bytes"] = held
    if allocated:
        found["memory_bytes"] = allocated
    return found


def size_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor."""
    elements = 1
    for size in shape:
        elements *= size
    return elements * int(getattr(torch, dtype).itemsize)


class Allocated:
    """The memory that was asked for, over the time of a profile of one thread."""

    def __init__(self, events: Sequence[Any]) -> None:
        asked = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == _MEMORY)
        self._times = [when for when, _ in asked]
        self._totals = [0]
        for _, size in asked:
            self._totals.append(self._totals[-1] + max(0, size))

    def within(self, one: Begun) -> int:
        """Bytes that an operator, with all inside it, asked for."""
        return self._totals[bisect_right(self._times, one.end)] - self._totals[bisect_right(self._times, one.start)]


class ModuleWatch:
    """When each submodule of a model ran, by hooks; those of a TorchScript call none."""

    def __init__(self, module: torch.nn.Module | None) -> None:
        self._module = module
        self._open: list[tuple[str, int]] = []
        self._ran: list[tuple[int, int, str]] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches as long as this lasts."""
        parts = list(self._module.named_modules()) if self._module is not None else []
        handles = []
        for path, part in parts:
            if path:
                handles.append(part.register_forward_pre_hook(self._enter(path)))
                handles.append(part.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._ran.sort()

    def module_at(self, when: int) -> str:
        """The innermost submodule that ran then; empty for none."""
        for start, end, path in reversed(self._ran[: bisect_right(self._ran, (when, 1 << 62, ""))]):
            if start <= when <= end:
                return path
        return ""

    def _enter(self, path: str) -> Callable[..., None]:
        def enter(module: torch.nn.Module, arguments: Any) -> None:
            self._open.append((path, time_ns()))

        return enter

    def _leave(self, module: torch.nn.Module, arguments: Any, result: Any) -> None:
        path, start = self._open.pop()
        self._ran.append((start, time_ns(), path))


def scripted_modules(results: Any) -> dict[tuple[str, int], str]:
    """The paths of a TorchScript's modules, by an operator's name and start: they stand in Kineto's own file alone."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        results.save(str(path))
        document = json.loads(path.read_text("utf-8"))
    base = int(document.get("baseTimeNanoseconds", 0))
    return {
        (event["name"], base + round(event["ts"] * 1000)): module_path(hierarchy)
        for event in document["traceEvents"]
        if (hierarchy := event.get("args", {}).get("Module Hierarchy"))
    }


def module_path(hierarchy: str) -> str:
    """The path in what Kineto says: ``TOP(Net)::forward.body(Body)::forward.SELF(Body)::inner`` is ``body``."""
    return ".".join(part for part in _SUBMODULE.findall(hierarchy) if part != "SELF")


def with_titles(names: Sequence[str], abouts: Sequence[About], module: torch.nn.Module) -> Iterator[About]:
    """What a program of ``torch.export`` calls its operators; others have no names of their own.

    The operators of a call are those of the graph, in its order, with others between and inside them.
    """
    nodes = graph_nodes(module)
    for name, about in zip(names, abouts, strict=True):
        if nodes and nodes[0][0] == name:
            _, title, path = nodes.pop(0)
            about = About(about.module or path, title, about.facts)
        yield about


def graph_nodes(module: torch.nn.Module) -> list[tuple[str, str, str]]:
    """Operator, name and module of each node of an exported program that calls an operator, in order."""
    if not isinstance(module, torch.fx.GraphModule):
        return []
    found = []
    for node in module.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload):
            stack = list(node.meta.get("nn_module_stack", {}).values())
            found.append((node.target._schema.name, node.name, str(stack[-1][0]) if stack else ""))
    return found
