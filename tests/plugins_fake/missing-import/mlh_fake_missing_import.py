"""A plugin whose dependency is not installed."""

from __future__ import annotations

import mlh_fake_nowhere_to_be_found  # type: ignore[import-not-found]  # missing on purpose

__all__ = ["mlh_fake_nowhere_to_be_found"]
