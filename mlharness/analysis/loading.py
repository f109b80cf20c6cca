"""From a run directory to what the analyses work on: layers and kernels, each with its latency over all calls.

Spans are brought together by SQL, so that only a row for each layer and kernel reaches Python.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from mlharness.analysis.calibration import host_peaks, peaks_missing
from mlharness.analysis.flops import Tensor
from mlharness.analysis.placing import Placed, place
from mlharness.analysis.traced import BatchSize, Kernel, Layer, Part, Traced
from mlharness.errors import UserError
from mlharness.rundir import RESULT
from mlharness.trace.parquet import SPANS, open_trace, spans_for

P = TypeVar("P", bound=Part)
TRIMMED = 0.2
"""Of the repetitions of a layer this share of the fastest, and of the slowest, is left out, as in XSP."""

_MACROS = f"""
    CREATE MACRO trimmed(ordered, cut) AS list_avg(list_slice(ordered, cut + 1, len(ordered) - cut));
    CREATE MACRO trimmed_mean(values) AS
        trimmed(list_sort(values), CAST(floor({TRIMMED} * len(values)) AS BIGINT));
"""
_CALLS = """
    CREATE TABLE calls AS
    SELECT id, query, start_ns, duration_ns, thread, coalesce(CAST(attributes->>'batch' AS BIGINT), 1) AS batch
    FROM spans WHERE level = 'model' AND kind = 'predict'
"""
_BATCHES = """
    SELECT batch, count(*), trimmed_mean(list(duration_ns)) FROM calls GROUP BY batch ORDER BY count(*) DESC, batch DESC
"""
_PARTS = """
    CREATE TABLE parts AS
    SELECT spans.id, placed.call, placed.layer, placed.kernel, spans.name, spans.kind, spans.start_ns, spans.duration_ns
    FROM placed JOIN spans ON spans.id = placed.id JOIN calls ON calls.id = placed.call
    WHERE calls.batch = (SELECT batch FROM calls GROUP BY batch ORDER BY count(*) DESC, batch DESC LIMIT 1)
"""
_LAYERS = """
    CREATE TABLE layer_spans AS
    SELECT id, call, name, kind, duration_ns,
        row_number() OVER (PARTITION BY call ORDER BY start_ns, id) AS place,
        row_number() OVER (PARTITION BY call, name, kind ORDER BY start_ns, id) AS occurrence
    FROM parts WHERE NOT kernel;

    CREATE TABLE layers AS
    SELECT row_number() OVER (ORDER BY avg(place), min(id)) - 1 AS index, name, kind, NULL AS layer, occurrence,
        trimmed_mean(list(duration_ns)) AS latency_ns, count(*) AS repetitions, max(id) AS latest,
        quantile_cont(duration_ns, [0.1, 0.5, 0.9]) AS deciles_ns
    FROM layer_spans GROUP BY name, kind, occurrence;
"""
_KERNELS = """
    CREATE TABLE kernel_spans AS
    SELECT part.id, part.name, part.kind, part.duration_ns, layers.index AS layer,
        row_number() OVER (PARTITION BY part.call ORDER BY part.start_ns, part.id) AS place,
        row_number() OVER (PARTITION BY part.call, layers.index, part.name, part.kind ORDER BY part.start_ns, part.id)
            AS occurrence
    FROM parts part
    LEFT JOIN layer_spans found ON found.id = part.layer
    LEFT JOIN layers ON (layers.name, layers.kind, layers.occurrence) = (found.name, found.kind, found.occurrence)
    WHERE part.kernel;

    CREATE TABLE kernels AS
    SELECT row_number() OVER (ORDER BY avg(place), min(id)) - 1 AS index, name, kind, layer, occurrence,
        trimmed_mean(list(duration_ns)) AS latency_ns, count(*) AS repetitions, max(id) AS latest,
        quantile_cont(duration_ns, [0.1, 0.5, 0.9]) AS deciles_ns
    FROM kernel_spans GROUP BY layer, name, kind, occurrence;
"""
_COVERED = """
    SELECT trimmed_mean(list(share)) FROM (
        SELECT sum(parts.duration_ns) / any_value(calls.duration_ns) AS share
        FROM parts JOIN calls ON calls.id = parts.call WHERE calls.duration_ns > 0 GROUP BY calls.id, kernel
        HAVING kernel = $kernel
    )
"""
_ROWS = """
    SELECT index, part.name, part.kind, latency_ns, repetitions, attributes, layer, deciles_ns
    FROM {table} part JOIN spans ON spans.id = latest ORDER BY index
"""


def trace_of(run: Path, announce: Callable[[str], None] = lambda text: None) -> Traced:
    """What the analyses work on.

    Args:
        run: a run directory.
        announce: is told when the peaks of this host have to be measured.

    Raises:
        UserError: the run has no result, or no trace, or its files cannot be read.
    """
    result = read_result(run)
    deep = _read(run)
    calls = _undisturbed(run, "model", deep)
    shallow = _undisturbed(run, "framework", deep)
    missing = _missing(result, bool(calls.batches), {"layers": bool(shallow.layers), "kernels": bool(deep.kernels)})
    return Traced(
        result=result,
        batches=calls.batches,
        layer_batches=shallow.batches,
        layers=shallow.layers,
        kernels=with_layers(deep.kernels, deep.layers, shallow.layers),
        layers_share=shallow.layers_share,
        kernels_share=deep.kernels_share,
        on_gpu=deep.on_gpu,
        missing=missing,
        measure_peaks=lambda: host_peaks(int(result["framework"]["threads"]), announce),
    )


@dataclass(frozen=True)
class _Spans:
    """What a file of spans holds."""

    batches: Sequence[BatchSize]
    layers: Sequence[Layer]
    kernels: Sequence[Kernel]
    layers_share: float | None
    kernels_share: float | None
    on_gpu: bool


def _read(run: Path, level: str = "") -> _Spans:
    with analysed(run, level) as (database, placed):
        return _Spans(
            batches=[BatchSize(*row) for row in database.execute(_BATCHES).fetchall()],
            layers=in_order(_parts(database, "layers", Layer)),
            kernels=_parts(database, "kernels", Kernel),
            layers_share=_covered(database, kernel=False),
            kernels_share=_covered(database, kernel=True),
            on_gpu=placed.on_gpu,
        )


def _undisturbed(run: Path, level: str, deep: _Spans) -> _Spans:
    """The spans of the run without deeper levels, where ``--leveled`` made one that recorded all layers; as in XSP."""
    if spans_for(run, level) == run / SPANS:
        return deep
    found = _read(run, level)
    whole = level == "model" or set(_keys(deep.layers)) <= set(_keys(found.layers))
    return found if found.batches and whole else deep


def with_layers(kernels: Sequence[Kernel], before: Sequence[Layer], after: Sequence[Layer]) -> list[Kernel]:
    """Kernels of the layers of one run, with the places that these have among the layers of another."""
    places = dict(zip(_keys(after), range(len(after)), strict=True))
    moved = [places.get(key) for key in _keys(before)]
    return [kernel if kernel.layer is None else replace(kernel, layer=moved[kernel.layer]) for kernel in kernels]


def _keys(layers: Sequence[Layer]) -> list[tuple[str, str, int]]:
    """By what a layer is known in every call: name, type, and which of those with both it is."""
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for layer in layers:
        keys.append((layer.name, layer.kind, seen[layer.name, layer.kind]))
        seen[layer.name, layer.kind] += 1
    return keys


@contextmanager
def analysed(run: Path, level: str = "") -> Iterator[tuple[Any, Placed]]:
    """A database with ``spans`` and ``telemetry``, and with what is made of them: ``calls`` of the model, ``layers``
    and ``kernels``. ``level`` is :func:`open_trace`'s. Raises UserError when the run has no trace."""
    with open_trace(run, level) as database:
        placed = place(database)
        columns = {"id": placed.id, "call": placed.call, "layer": placed.layer, "kernel": placed.kernel}
        database.register("placed", columns)
        for statements in (_MACROS, _CALLS, _PARTS, _LAYERS, _KERNELS):
            database.execute(statements)
        yield database, placed


def read_result(run: Path) -> dict[str, Any]:
    """``result.json`` of a run directory. Raises UserError when there is none, or it cannot be read."""
    try:
        result = json.loads((run / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{run} is no run directory, or its run is incomplete: it has no {RESULT}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{run / RESULT} cannot be read: {error}") from error
    if not isinstance(result, dict) or "model" not in result:
        raise UserError(f"{run / RESULT} is not the result of a run")
    return result


def _parts(database: Any, table: str, form: type[P]) -> list[P]:
    return [
        form(index, name, kind, latency_ns, repetitions, _attributes(attributes), layer, deciles_ns)
        for index, name, kind, latency_ns, repetitions, attributes, layer, deciles_ns in database.execute(
            _ROWS.format(table=table)
        ).fetchall()
    ]


def _covered(database: Any, kernel: bool) -> float | None:
    """The share of a call that all its layers, or all its kernels, take together; of a call, since one that was
    interrupted lasts longer, and so does what it was interrupted in."""
    found: float | None = database.execute(_COVERED, {"kernel": kernel}).fetchone()[0]
    return found


def in_order(layers: Sequence[Layer]) -> list[Layer]:
    """The layers, each knowing the inputs of the next that has any."""
    found: list[Layer] = []
    following: Sequence[Tensor] = ()
    for layer in reversed(layers):
        found.append(replace(layer, following=following))
        following = layer.inputs or following
    return found[::-1]


def _attributes(text: str | None) -> Mapping[str, Any]:
    """The attributes of a span; none where a tracer wrote something else."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _missing(result: Mapping[str, Any], called: bool, there: Mapping[str, bool]) -> dict[str, str]:
    """Why there are no layers, no kernels, no peaks; only what is not there has an entry."""
    deepest = "library" if result["framework"]["device"] == "cpu" else "system"
    levels = {"layers": "framework", "kernels": deepest}
    found = {
        part: why_not(result, levels[part]) if called else "the trace has no call of the model"
        for part, is_there in there.items()
        if not is_there
    }
    peaks = peaks_missing(result)
    return {**found, "peaks": peaks} if peaks else found


def why_not(result: Mapping[str, Any], level: str) -> str:
    """Why a run's trace has nothing of a level."""
    trace = result.get("trace") or {}
    about = trace.get("levels", {}).get(level)
    if about is None:
        return f"the level {level} was not traced: run mlh bench with --trace full"
    reasons = "; ".join(about["reasons"]) or trace.get("failure") or "no span of it stands under a call of the model"
    return f"the level {level} is {about['state']}: {reasons}"
