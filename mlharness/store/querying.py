"""Questions to the store: which runs, the latest first."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, exists, func, or_, select

from mlharness.store.index import BATCH, of_this_host
from mlharness.store.opening import Store
from mlharness.store.reading import clean
from mlharness.store.tables import INTERNAL, documents, labels, runs

_SHOWN = tuple(column for column in runs.c if column.name not in INTERNAL)
_LATEST = (runs.c.started.desc(), runs.c.run_id.desc())
ORDERS: Mapping[str, tuple[Column[Any], ...]] = {
    "started": (runs.c.started,),
    "model": (runs.c.model,),
    "framework": (runs.c.framework, runs.c.framework_version),
    "scenario": (runs.c.scenario,),
    "status": (runs.c.status,),
    "figure": (runs.c.unit, runs.c.value),  # latencies and rates are not of one kind
    "p90": (runs.c.p90_ns,),
    "accuracy": (runs.c.accuracy_metric, runs.c.accuracy),
    "quality": (runs.c.quality,),
    "host": (runs.c.host,),
}
"""By what runs can be put in order."""


@dataclass(frozen=True)
class Filter:
    """Which runs are wanted: each field that is not empty must hold, and of several values in one any.

    Names take ``*`` and ``?``, and capitals do not count; a framework may be NAME==VERSION. Labels are pairs of key and
    value, None for any value, and all must hold. Times are UTC without a zone; ``until`` is not included.
    """

    models: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    labels: tuple[tuple[str, str | None], ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What the rows must meet."""
        named = (
            (runs.c.model, self.models),
            (runs.c.host, self.hosts),
            (runs.c.status, self.statuses),
            (runs.c.scenario, self.scenarios),
        )
        found = [or_(*(is_like(column, value) for value in values)) for column, values in named if values]
        if self.frameworks:
            found.append(or_(*map(is_framework, self.frameworks)))
        found += [has_label(key, value) for key, value in self.labels]
        if self.since is not None:
            found.append(runs.c.started >= self.since)
        if self.until is not None:
            found.append(runs.c.started < self.until)
        return found


def is_like(column: Column[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a column matches a pattern of ``*`` and ``?``."""
    escaped = "".join(f"\\{char}" if char in "\\%_" else char for char in clean(pattern).lower())
    return func.lower(column).like(escaped.replace("*", "%").replace("?", "_"), escape="\\")


def is_framework(wanted: str) -> ColumnElement[bool]:
    """Whether a run was on NAME, or NAME==VERSION."""
    name, _, version = wanted.partition("==")
    condition = is_like(runs.c.framework, name)
    return and_(condition, is_like(runs.c.framework_version, version)) if version else condition


def has_label(key: str, value: str | None) -> ColumnElement[bool]:
    """Whether a run has a label, with that value if one is given."""
    condition = (labels.c.run_id == runs.c.run_id) & (labels.c.key == clean(key))
    return exists().where(condition if value is None else condition & (labels.c.value == clean(value)))


@dataclass(frozen=True)
class Page:
    """Which of the runs that are wanted: ``limit`` of them (None: all) after ``offset``, in an order of ``ORDERS``.

    Runs that have nothing to be ordered by come last, and among equals the latest first.
    """

    limit: int | None = None
    offset: int = 0
    order: str = "started"
    descending: bool = True

    def of(self, query: Select[Any]) -> Select[Any]:
        """The part of a query over runs that is on this page."""
        by = [] if self == Page(self.limit, self.offset) else list(self._terms())
        return query.order_by(*by, *_LATEST).limit(self.limit).offset(self.offset or None)

    def _terms(self) -> Iterator[ColumnElement[Any]]:
        for column in ORDERS[self.order]:
            if column.nullable:
                yield column.is_(None)
            yield column.desc() if self.descending else column.asc()


def list_runs(
    store: Store, wanted: Filter, limit: int | None = None, columns: Collection[str] = (), page: Page | None = None
) -> list[dict[str, Any]]:
    """Rows as dicts by column, the latest started first: all of them, or the first ``limit``, or those of a page.

    ``started`` and ``finished`` are datetimes (UTC, no zone), ``labels`` is a dict, ``directory`` a path as text.
    ``columns`` leaves out any other but those two; by default all are there.
    """
    page = page or Page(limit)
    shown = [column for column in _SHOWN if not columns or column.name in columns]
    with store.reading() as connection:
        chosen = select(runs.c.run_id, runs.c.root, runs.c.folder, *shown).where(*wanted.conditions())
        rows = connection.execute(page.of(chosen)).all()
        pairs = connection.execute(_labels_of([row[0] for row in rows], wanted, page)).all()
    noted: dict[str, dict[str, str]] = {}
    for run_id, key, value in pairs:
        noted.setdefault(run_id, {})[key] = value
    names = [column.name for column in shown]
    return [
        {**dict(zip(names, row[3:], strict=True)), "directory": f"{row[1]}/{row[2]}", "labels": noted.get(row[0], {})}
        for row in rows
    ]


def _labels_of(run_ids: Sequence[str], wanted: Filter, page: Page) -> Select[Any]:
    """The labels of these runs, which are all that were asked for."""
    query = select(labels).order_by(labels.c.run_id, labels.c.key)
    if page == Page() and wanted == Filter():
        return query
    if len(run_ids) <= BATCH:
        return query.where(labels.c.run_id.in_(run_ids))
    return query.where(
        labels.c.run_id.in_(page.of(select(runs.c.run_id).where(*wanted.conditions())).scalar_subquery())
    )


def count_runs(store: Store, wanted: Filter) -> int:
    """How many runs there are of that kind."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(runs).where(*wanted.conditions())).scalar_one()


def values_of(store: Store, column: str) -> list[str]:
    """What stands in a column, sorted."""
    with store.reading() as connection:
        found = connection.execute(select(runs.c[column]).distinct()).scalars()
        return sorted(str(value) for value in found if value is not None)


def ids_beginning(store: Store, prefix: str, limit: int) -> list[str]:
    """Run ids that begin so: the one that is just that before all others, then the latest first."""
    begins = runs.c.run_id.startswith(clean(prefix), autoescape=True)
    first = [runs.c.run_id != clean(prefix)] if prefix else []
    return _ids(store, select(runs.c.run_id).where(begins).order_by(*first, *_LATEST).limit(limit))


def id_at(store: Store, place: int) -> str | None:
    """The run id at a place, counted from the latest, 1; on a server among those that this host keeps."""
    found = _ids(store, select(runs.c.run_id).where(*of_this_host(store)).order_by(*_LATEST).offset(place - 1).limit(1))
    return found[0] if found else None


def _ids(store: Store, query: Select[Any]) -> list[str]:
    with store.reading() as connection:
        return list(connection.execute(query).scalars())


@dataclass(frozen=True)
class Stored:
    """All that the store has of one run."""

    run_id: str
    directory: str
    kept_on: str
    result: dict[str, Any]
    labels: dict[str, str]


def get_run(store: Store, run_id: str) -> Stored | None:
    """One run by its full id; None when the store does not know it."""
    with store.reading() as connection:
        row = connection.execute(
            select(runs.c.root, runs.c.folder, runs.c.kept_on, documents.c.result)
            .join(documents, documents.c.run_id == runs.c.run_id)
            .where(runs.c.run_id == run_id)
        ).one_or_none()
        if row is None:
            return None
        query = select(labels.c.key, labels.c.value).where(labels.c.run_id == run_id).order_by(labels.c.key)
        noted = dict(connection.execute(query).all())
    return Stored(run_id, f"{row.root}/{row.folder}", row.kept_on, json.loads(row.result), noted)
