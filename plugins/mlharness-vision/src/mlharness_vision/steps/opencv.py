"""OpenCV, for the steps that are asked to work as it does."""

from __future__ import annotations

from typing import Any

from mlharness.errors import UserError
from mlharness.providers import Option

LIBRARIES = ("pillow", "opencv")
LIBRARY = Option(
    "library", "string", "Whose way of doing it: opencv needs the extra mlharness-vision[opencv].", "pillow",
    choices=LIBRARIES,
)  # fmt: skip


def import_cv2(step: str) -> Any:
    """The module ``cv2``. Raises UserError when no package carries it."""
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            f"step '{step}' with library: opencv needs OpenCV, which cannot be imported: {error}",
            "Run: pip install 'mlharness-vision[opencv]'",
        ) from error
    return cv2
