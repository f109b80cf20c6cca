"""Finds the schemas and manifests that mlharness ships.

They lie at the top of the repository and are copied into the wheel; an editable install does not copy them.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource_folder(name: str) -> Path:
    """The folder ``schemas`` or ``manifests``, in a wheel or a checkout."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
