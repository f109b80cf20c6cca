"""Pages that take time to make, kept as long as the files that they show stay what they are."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LARGEST_BYTES = 1 << 26
"""What all kept pages may take together; one of a long trace is some 15 MB."""


@dataclass(frozen=True)
class Kept:
    """A page as it is sent, the state of the files of which it was made, and what tells it from others (an ETag)."""

    body: bytes
    state: str
    tag: str


class Keeper:
    """The pages that were asked for last, by the directory that each shows; any thread may ask."""

    def __init__(self, largest: int = LARGEST_BYTES) -> None:
        self._largest = largest
        self._pages: OrderedDict[Path, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, directory: Path, make: Callable[[Path], str]) -> Kept:
        """The page of a directory, made by ``make`` when there is none, or the directory has changed since.

        Raises:
            UserError: whatever ``make`` raises; nothing is kept then.
        """
        state = state_of(directory)
        with self._lock:
            found = self._pages.get(directory)
            if found is not None and found.state == state:
                self._pages.move_to_end(directory)
                return found
        body = make(directory).encode("utf-8", "backslashreplace")
        made = Kept(body, state, hashlib.sha256(body).hexdigest())
        with self._lock:
            self._pages[directory] = made
            self._pages.move_to_end(directory)
            while len(self._pages) > 1 and sum(len(page.body) for page in self._pages.values()) > self._largest:
                self._pages.popitem(last=False)
        return made


def state_of(directory: Path) -> str:
    """A digest of what the files of a directory and of its folders are called, how large and how old they are."""
    found = []
    for place, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            try:
                about = (Path(place) / name).stat()
            except OSError:  # it went in this moment, which the next look will tell
                continue
            found.append((place, name, about.st_size, about.st_mtime_ns))
    return hashlib.sha256(repr(found).encode("utf-8", "backslashreplace")).hexdigest()
