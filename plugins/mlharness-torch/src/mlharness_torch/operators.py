"""From the operators that Kineto recorded to spans of the level framework."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from mlharness.trace.levels import FRAMEWORK
from mlharness.trace.spans import Spans
from mlharness_torch.calls import Calls
from mlharness_torch.profiling import Begun, by_thread
from mlharness_torch.reference import About, Reference

Described = tuple[str, str, str]
"""Name, kind and attributes of a span."""


def add_operators(events: Sequence[Any], calls: Sequence[Calls], spans: Spans) -> None:
    """Add the operators of every recorded call.

    Args:
        events: Kineto's, of every thread.
        calls: of every predictor, each on a thread of its own.
        spans: on the wall clock; their ``dropped`` and ``notes`` say what is missing.
    """
    threads = by_thread(events)
    bounds = [(one.starts[0], one.ends[-1]) for one in calls if one.starts]
    for one in calls:
        _add_calls(threads.pop(one.thread, []), one, spans)
    # What is left ran in the pool for forked parts of a TorchScript, or has nothing to do with the model.
    for thread, operators in threads.items():
        for begun in operators:
            if any(start <= begun.start <= end for start, end in bounds):
                _add(spans, begun, thread, (begun.name, begun.name, ""))


def _add_calls(operators: Sequence[Begun], calls: Calls, spans: Spans) -> None:
    starts = [begun.start for begun in operators]
    known: dict[tuple[int, tuple[str, ...]], list[Described]] = {}
    kept = unlike = 0
    for start, end, form in zip(calls.starts, calls.ends, calls.forms, strict=True):
        own = operators[bisect_left(starts, start) : bisect_right(starts, end)]
        names = tuple([begun.name for begun in own])
        described = known.get((form, names))
        if described is None:
            reference = calls.references.get(form)
            unlike += reference is not None and reference.names != names
            described = known[form, names] = describe(own, reference)
        for begun, about in zip(own, described, strict=True):
            _add(spans, begun, calls.thread, about)
        kept += len(own)
    if calls.missed:
        lost = calls.missed * kept // max(1, len(calls.starts))
        spans.dropped += lost
        spans.notes.append(f"{calls.missed} calls of the model have no operators: so many events are kept, and no more")
    if unlike:
        spans.notes.append("some calls have other operators than the one that was looked at closely, and no shapes")
    spans.notes += [note for note in calls.notes if note not in spans.notes]


def _add(spans: Spans, begun: Begun, thread: int, about: Described) -> None:
    name, kind, attributes = about
    spans.add(FRAMEWORK, name, begun.start, -begun.minus_duration, kind=kind, thread=thread, attributes=attributes)


def describe(operators: Sequence[Begun], reference: Reference | None) -> list[Described]:
    """Names, kinds and attributes of a call's operators, which all calls with the same operators share.

    A layer is called by its module or its name in a graph, and by its operator; the second of one name gets a number.
    What runs inside it is called by it and the operator.
    """
    abouts = [About()] * len(operators)
    if reference and reference.names == tuple(begun.name for begun in operators):
        abouts = list(reference.abouts)
    layers, wraps = outline(operators)
    titles: dict[int, str] = {}
    used: dict[str, int] = {}
    found = []
    for index, (begun, about, layer, wrap) in enumerate(zip(operators, abouts, layers, wraps, strict=True)):
        short = begun.name.rpartition("::")[2]
        if wrap:
            found.append((begun.name, "call", ""))
            continue
        if layer == index:
            title = about.title or (f"{about.module}.{short}" if about.module else short)
            used[title] = used.get(title, 0) + 1
            titles[index] = title if used[title] == 1 else f"{title}_{used[title]}"
            name = titles[index]
        else:
            name = f"{titles[layer]}/{short}"
        attributes = {"index": index, **({"module": about.module} if about.module else {}), **about.facts}
        if layer != index:
            attributes.pop("parameter_bytes", None)  # the layer has them
        found.append((name, begun.name, json.dumps(attributes, separators=(",", ":"))))
    return found


def outline(operators: Sequence[Begun]) -> tuple[list[int], list[bool]]:
    """For each operator: the place of the layer that it stands in, its own if it is one; and whether it is no operator.

    What encloses others and is not registered with PyTorch, as the ``forward`` of a module or a compiled region, only
    wraps them. Wrappers stand in no layer, and have their own place.
    """
    inside: list[int] = []  # the next one further out, -1 for none
    encloses = [False] * len(operators)
    stack: list[int] = []
    for index, begun in enumerate(operators):
        while stack and operators[stack[-1]].end <= begun.start:
            stack.pop()
        inside.append(stack[-1] if stack else -1)
        if stack:
            encloses[stack[-1]] = True
        stack.append(index)
    wraps = [found and "::" not in begun.name for found, begun in zip(encloses, operators, strict=True)]
    layers: list[int] = []
    for index, outer in enumerate(inside):
        layers.append(index if wraps[index] or outer < 0 or wraps[outer] else layers[outer])
    return layers, wraps
