"""The store, as it is when a request comes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic

from mlharness.runs import missing
from mlharness.store.opening import Store, open_store

FRESH_S = 2.0
"""How old the store's view of the run directories may be: a look at ten thousand takes a tenth of a second."""

READING = "Run directories are being read that the store does not know yet. Load this page again to see more of them."


class Shelf:
    """Opens the store for every request anew: a server that was away, or a file that was replaced, is no trouble."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._missing: Sequence[str] = ()

    @property
    def notes(self) -> Sequence[str]:
        """Why runs may be missing: lines for people."""
        return (READING,) if self._looking.locked() else self._missing

    def open(self) -> Store:
        """The store, which has lately caught up with the user's run directories. Raises StoreError."""
        store = open_store()
        # one looks at a time; the others answer from what there is, which may be many new runs less
        if monotonic() - self._looked > FRESH_S and self._looking.acquire(blocking=False):
            try:
                self._missing = missing(store)
                self._looked = monotonic()
            finally:
                self._looking.release()
        return store
