"""From the file of a session's profile to spans: one line an event, read one after the other.

A run's nodes stand before its executor, and that before ``model_run``; all of them have begun and ended by then. Times
are whole microseconds since the profile began.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mlharness.trace.levels import FRAMEWORK
from mlharness.trace.spans import Spans
from mlharness.trace.uncollected import uncollected
from mlharness_onnxruntime.nodenames import NodeNames

LIMIT = 1_000_000
"""ONNX Runtime keeps no more events of a session."""
_KERNEL_TIME = "_kernel_time"
_EVENT = re.compile(
    r'\{"cat" : "(\w+)","pid" :\d+,"tid" :(\d+),"dur" :(\d+),"ts" :(\d+),"ph" : "X","name" :"(.*?)","args" : (?=\{)'
)
_SHAPES = re.compile(r'"input_type_shape" : (\[(?:\{[^}]*\},?)*\])')
_CORE = re.compile(r'"core": (\d+)')
_SUB_THREAD = re.compile(r'"(\d+)": \{"num_run": (\d+)')
_DTYPES = {"float": "float32", "double": "float64"}
"""Where ONNX Runtime's name of a dtype is not NumPy's."""


class Event(NamedTuple):
    """One line; ``start`` and ``duration`` in microseconds, ``args`` the text of an object."""

    category: str
    thread: int
    duration: int
    start: int
    name: str
    args: str


def read_profile(path: Path, base_ns: int, window: tuple[int, int], names: NodeNames, spans: Spans) -> None:
    """Add the runs within a window to the spans, each with its nodes.

    Args:
        path: the file.
        base_ns: when the profile began, in wall-clock nanoseconds.
        window: from when to when, in wall-clock nanoseconds.
        names: what the model's file calls its nodes.
        spans: on the wall clock; their ``dropped`` and ``notes`` say what the profile lacks.

    Raises:
        ValueError: the file is no profile, or is cut off; what could be read of it was added.
        OSError: it cannot be read.
    """
    reader = _Runs(spans, base_ns, window, names)
    with path.open(encoding="utf-8", errors="replace") as file, uncollected():
        reader.read(_events(file, path.name))
    if names.unknown:
        spans.notes.append(
            f"nodes that ONNX Runtime's optimiser made, and that have no name in the model's file: {names.unknown}"
        )


def _events(lines: Iterable[str], name: str) -> Iterator[Event]:
    """The events of a file. Raises ValueError where it is no longer one, at its end when it is cut off."""
    closed = False
    for line in lines:
        found = _EVENT.match(line)
        if found and line.endswith(("}},\n", "}}\n")):
            category, thread, duration, start, title = found.groups()
            yield Event(category, int(thread), int(duration), int(start), title, line[found.end() :].rstrip(",\n")[:-1])
        elif line.strip() in ("[", "]", ""):
            closed |= line.startswith("]")
        else:
            yield _slowly(line, name)
    if not closed:
        raise ValueError(f"{name} is cut off")


def _slowly(line: str, name: str) -> Event:
    """An event that is written in another way than this version of ONNX Runtime's."""
    try:
        found = json.loads(line.strip().rstrip(","))
        args = json.dumps(found["args"], separators=(",", " : "))
        return Event(found["cat"], int(found["tid"]), int(found["dur"]), int(found["ts"]), found["name"], args)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{name} is damaged or cut off, at {line[:40]!r}") from error


class _Runs:
    """Gathers the events of a run, and adds them when it is known where it began."""

    def __init__(self, spans: Spans, base_ns: int, window: tuple[int, int], names: NodeNames) -> None:
        self._spans, self._base_ns, self._names = spans, base_ns, names
        self._window = window
        self._nodes: list[tuple[Event, int, int]] = []
        self._executor: Event | None = None
        self._keys = self._count = 0
        self._attributes: dict[tuple[str, str, int, int, int], tuple[str, str, str]] = {}
        self._threads = _Threads()

    def read(self, events: Iterable[Event]) -> None:
        """Add what the events tell."""
        for event in events:
            self._count += 1
            if event.category == "Node":
                if event.name.endswith(_KERNEL_TIME):
                    self._nodes.append((event, *self._threads.of(event.args)))
            elif event.name == "model_run":
                self._add_run(event)
                self._nodes, self._executor = [], None
            elif event.name.endswith("::Execute"):
                self._executor = event  # of several, those of inner graphs come first
            elif event.name == "profile_truncated":
                self._truncated(json.loads(event.args))
        if self._count >= LIMIT and not self._spans.dropped:
            self._spans.notes.append(f"ONNX Runtime keeps {LIMIT:,} events of a session; it had more")

    def _truncated(self, args: dict[str, Any]) -> None:
        lost = int(args.get("dropped_event_count", 0))
        self._spans.dropped += lost
        self._spans.notes.append(f"ONNX Runtime keeps {LIMIT:,} events of a session, and dropped {lost:,}")

    def _add_run(self, run: Event) -> None:
        if not self._window[0] <= self._base_ns + 1000 * run.start <= self._window[1]:
            return
        self._add(run, run.name, "call")
        executor = self._executor or run
        self._keys += 1
        if self._executor:
            self._add(executor, executor.name, "call", key=self._keys)
        self._nodes.sort(key=lambda node: (node[0].start, -node[0].duration))
        for index, (event, core, threads) in enumerate(self._nodes):
            name, kind, attributes = self._describe(event, index, core, threads)
            # What a thread of a pool ran would be anybody's, by its time alone.
            parent = self._keys if self._executor and event.thread != executor.thread else 0
            self._add(event, name, kind, parent=parent, attributes=attributes)

    def _add(self, event: Event, name: str, kind: str, key: int = 0, parent: int = 0, attributes: str = "") -> None:
        self._spans.add(
            FRAMEWORK, name, self._base_ns + 1000 * event.start, 1000 * event.duration, kind=kind,
            thread=event.thread, key=key, parent=parent, attributes=attributes,
        )  # fmt: skip

    def _describe(self, event: Event, index: int, core: int, threads: int) -> tuple[str, str, str]:
        """Name, operator and attributes, which are as in every run with the same shapes."""
        shapes = _SHAPES.search(event.args)
        key = (event.name, shapes[1] if shapes else "", index, core, threads)
        known = self._attributes.get(key)
        if known is None:
            known = self._attributes[key] = self._parse(event, index, core, threads)
        return known

    def _parse(self, event: Event, index: int, core: int, threads: int) -> tuple[str, str, str]:
        args = json.loads(event.args)
        own = event.name.removesuffix(_KERNEL_TIME)
        kind = str(args.get("op_name", ""))
        name = self._names.of(own, kind, int(args.get("node_index", LIMIT)))
        about: dict[str, Any] = {
            "index": index,
            "provider": args.get("provider", ""),
            "inputs": _tensors(args.get("input_type_shape", [])),
            "outputs": _tensors(args.get("output_type_shape", [])),
        }
        for ours, theirs in (("parameter_bytes", "parameter_size"), ("output_bytes", "output_size"),
                             ("activation_bytes", "activation_size")):  # fmt: skip
            if theirs in args:
                about[ours] = int(args[theirs])
        if name != own:
            about["optimised_name"] = own
        if threads:
            about |= {"threads": threads, "core": core}
        return name, kind, json.dumps(about, separators=(",", ":"))


class _Threads:
    """On how many threads each node ran; ONNX Runtime counts what each thread of its pool has run so far."""

    def __init__(self) -> None:
        self._run: dict[str, str] = {}

    def of(self, args: str) -> tuple[int, int]:
        """The core of the calling thread, and the number of threads; zeros where nothing is told of them."""
        core = _CORE.search(args)
        if core is None:
            return 0, 0
        runs = _SUB_THREAD.findall(args)
        helped = sum(self._run.get(thread, "0") != run for thread, run in runs)
        self._run.update(runs)
        return int(core[1]), 1 + helped


def _tensors(listed: list[dict[str, list[int]]]) -> list[list[Any]]:
    """Dtype and shape of each tensor."""
    return [[_DTYPES.get(dtype, dtype), shape] for tensor in listed for dtype, shape in tensor.items()]
