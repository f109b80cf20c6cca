"""Image files with their classes as an opened data set, whatever kind found them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mlharness.errors import UserError
from mlharness.file_items import file_sample
from mlharness.providers import Arrays

OPENERS = 8
"""Threads that open headers: they wait for the disk, which answers several at once."""


@dataclass(frozen=True)
class Item:
    """One image: the file as its list writes it, where it lies, its class (None: unknown), and its line in the list."""

    file: str
    path: Path
    label: int | None
    line: str = ""

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.line}: image {self.file!r}" if self.line else f"image {self.file!r}"


@dataclass(frozen=True)
class ImageFiles:
    """An opened data set; see :class:`mlharness.providers.FileDataSet`. It holds no pixels and no open file."""

    items: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.items)

    def check(self) -> None:
        """Open every header. Raises UserError naming the first file that is no readable image."""
        check_headers(self.items)

    def sample(self, index: int) -> Arrays:
        """The file's bytes, uint8 [bytes]. Raises UserError when the file cannot be read any more."""
        item = self.items[index]
        return file_sample(item.path, str(item))

    def label(self, index: int) -> int | None:
        """The class of one image, None when nobody gives one."""
        return self.items[index].label

    def file(self, index: int) -> Path:
        """Where one image lies."""
        return self.items[index].path


def check_headers(items: Sequence[Item]) -> None:
    """Open each header. Raises UserError for the first in their order that is not readable."""
    pool = ThreadPoolExecutor(OPENERS, "headers")
    try:
        for _ in pool.map(check_header, items):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def check_header(item: Item) -> None:
    """Raise UserError unless Pillow recognises the file's header."""
    from PIL import Image

    try:
        with Image.open(item.path):
            pass
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{item} cannot be read: {error}",
            "Put a readable image there, or take the item out of the data set.",
        ) from error
