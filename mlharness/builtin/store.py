"""Tells the store of every run that has ended. ``--block builtin-store`` leaves it out; ``mlh runs`` catches up."""

from __future__ import annotations

from mlharness import hookimpl
from mlharness.payloads import RunFinished


@hookimpl(trylast=True)
def mlh_on_run_finished(finished: RunFinished) -> None:
    """Index the run's directory. Raises StoreError, which becomes a warning: the run needs no store."""
    # the database's libraries take a quarter of a second, which only those wait for who have waited for a run
    from mlharness.store.index import index
    from mlharness.store.opening import open_store

    index(open_store(), [finished.directory])
