"""Where mlharness keeps things for a user: runs and trust under the data directory, downloads under the cache.

``MLH_DATA_DIR`` and ``MLH_CACHE_DIR`` move them; otherwise the platform's own places are used.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_dir() -> Path:
    """The user's data directory (not created)."""
    return Path(os.environ.get("MLH_DATA_DIR") or platformdirs.user_data_dir("mlharness", appauthor=False))


def cache_dir() -> Path:
    """The user's cache directory (not created)."""
    return Path(os.environ.get("MLH_CACHE_DIR") or platformdirs.user_cache_dir("mlharness", appauthor=False))


def runs_dir() -> Path:
    """The default root of run directories (not created)."""
    return data_dir() / "runs"


def sweeps_dir() -> Path:
    """The default root of sweep directories (not created)."""
    return data_dir() / "sweeps"
