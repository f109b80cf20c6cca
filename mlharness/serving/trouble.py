"""What went wrong with a request, and the status code that goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlharness.errors import MlharnessError, StoreError, UserError


class NoPageError(UserError):
    """An answer that is no page: ``status`` is HTTP's."""

    def __init__(self, status: int, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.status = status


@contextmanager
def answered(status: int) -> Iterator[None]:
    """What a user's error within means for the request; the store's troubles keep their own status."""
    try:
        yield
    except (NoPageError, StoreError):
        raise
    except UserError as error:
        raise NoPageError(status, error.message, error.remedy) from error


def status_of(error: MlharnessError) -> int:
    """HTTP's status for an error that can be explained."""
    if isinstance(error, NoPageError):
        return error.status
    return 503 if isinstance(error, StoreError) else 500
