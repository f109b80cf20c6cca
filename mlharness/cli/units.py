"""Figures with units in which they are easily read."""

from __future__ import annotations


def measured(value: float, unit: str) -> str:
    """A figure of LoadGen's: a latency (``ns``) or a rate."""
    return milliseconds(value) if unit == "ns" else f"{value:,.2f} {unit}"


def milliseconds(nanoseconds: float) -> str:
    """A latency in the unit in which it is easily read."""
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.1f} us"
    return f"{nanoseconds / 1e6:.3f} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e9:.3f} s"
