"""While a zoo downloads trained weights: its progress, and what goes wrong said in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlharness.errors import UserError

_EVERY_S = 1.0


@contextmanager
def downloading(what: str, host: str, files: tuple[Path, str], advance: Callable[[int, int], None]) -> Iterator[None]:
    """Report the bytes of growing files while it lasts.

    Args:
        what: the model, for messages.
        host: where the weights come from.
        files: folder and pattern of the files that grow.
        advance: told bytes so far, and 0: the zoos do not say how many there will be.

    Raises:
        UserError: the download failed, or what came has another hash.
    """
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(files, advance, done), daemon=True)
    watcher.start()
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # urllib's, huggingface_hub's and torch.hub's errors share no base class
        told = (str(error).strip().splitlines() or [""])[0]
        if "invalid hash" in str(error):
            raise UserError(
                f"{what}: the weights from {host} have another hash than their name says: {told}",
                "Do not use them; try again, or run with weights=none.",
            ) from error
        raise UserError(
            f"{what}: its trained weights cannot be had from {host}: {type(error).__name__}: {told}",
            "Check the network, and run the command again; weights=none gives random ones, which time the same.",
        ) from error
    finally:
        done.set()
        watcher.join()


def _watch(files: tuple[Path, str], advance: Callable[[int, int], None], done: threading.Event) -> None:
    """Tell how far it is whenever that has changed: silence means that nothing comes."""
    last = 0
    while not done.wait(_EVERY_S):
        size = _size(*files)
        if size not in (0, last):
            last = size
            advance(size, 0)


def _size(folder: Path, pattern: str) -> int:
    total = 0
    for path in folder.glob(pattern):
        with suppress(OSError):  # complete, and renamed, in this moment
            total += path.stat().st_size
    return total
