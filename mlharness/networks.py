"""Whether models of one name are one network: by their parameters and multiply-adds.

Under one name, zoos hold different networks, whose speeds say nothing about the frameworks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SAME_NETWORK = 0.005
"""Counts of one network may lie so far apart: frameworks fold, and count, differently."""


@dataclass(frozen=True)
class Network:
    """A network and who ran it; counts are None where the framework cannot tell."""

    framework: str
    parameters: int | None = None
    multiply_adds: int | None = None


def differences(networks: Sequence[Network]) -> list[str]:
    """For each network of one name, in what it differs from the first one that tells; empty when in nothing."""
    return [", ".join(_differing(network, networks)) for network in networks]


def _differing(network: Network, networks: Sequence[Network]) -> Iterator[str]:
    for what in ("parameters", "multiply_adds"):
        own = getattr(network, what)
        reference = next((other for other in networks if getattr(other, what)), None)
        if own is None or reference is None:
            continue
        apart = own / getattr(reference, what) - 1
        if abs(apart) > SAME_NETWORK:
            yield f"{what.replace('_', '-')} {100 * apart:+.1f} % of {reference.framework}'s"
