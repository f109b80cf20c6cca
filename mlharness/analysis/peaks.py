"""Measures what this host can do at most, in a process of its own: ``python -m mlharness.analysis.peaks THREADS``.

Each thread has a problem of its own. Whatever else a host does can only make a repetition slower: each lasts a few
milliseconds, there are many, and the fastest counts. NumPy's linear algebra is to have one
thread, which the caller asks for in the environment, since it is read when NumPy is imported. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np

SIDES = (512, 1024)
"""Of the square float32 matrices that each thread multiplies: smaller ones fit a cache, larger ones use it well."""
SECONDS = 0.7
"""How long each of the measurements is repeated."""
SMALLEST, LARGEST = 32 << 20, 256 << 20
"""Bytes of each of the three arrays of the triad, of which there are to be four times as many as the cache holds."""
BLOCK = 4 << 20
"""Bytes of each array that a repetition of the triad goes through; the next one takes the next, which is not cached."""
ARRAYS_MOVED = 5
"""NumPy computes a = b + s * c in two steps: it reads c, writes a, then reads a and b, and writes a."""
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_SUFFIX = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def measure(threads: int) -> dict[str, float | int]:
    """Operations and bytes a second, at most, with so many threads, and how large the problems were."""
    size = triad_bytes(cache_bytes())
    return {
        "flops_per_s": max(flops_per_s(threads, side) for side in SIDES),
        "bytes_per_s": bytes_per_s(threads, size),
        "array_bytes": size,
        "seconds": SECONDS,
    }


def flops_per_s(threads: int, side: int) -> float:
    """Of products of square float32 matrices: the sum of what each thread does at best while all are at work."""
    generator = np.random.default_rng(0)
    first, second = (generator.random((side, side), np.float32) for _ in range(2))

    def products(thread: int) -> float:
        found = np.empty_like(first)
        return 2 * side**3 / best(lambda repetition: np.matmul(first, second, out=found))

    with ThreadPoolExecutor(threads) as pool:  # NumPy lets go of the interpreter while it computes
        return sum(pool.map(products, range(threads)))


def bytes_per_s(threads: int, size: int) -> float:
    """Of a triad over float32 arrays of so many bytes, of which each thread has a part.

    Threads share the way to the memory, so that all begin a block together, and the last of them ends it.
    """
    count = size // 4 // threads
    block = min(BLOCK // 4 // threads, count)
    parts = [tuple(np.ones(count, np.float32) for _ in range(3)) for _ in range(threads)]

    def triad(thread: int, repetition: int) -> None:
        place = repetition % (count // block) * block
        a, b, c = (array[place : place + block] for array in parts[thread])
        np.multiply(c, np.float32(3), out=a)
        np.add(a, b, out=a)

    with ThreadPoolExecutor(threads) as pool:
        fastest = best(lambda repetition: list(pool.map(triad, range(threads), [repetition] * threads)))
    return ARRAYS_MOVED * 4 * block * threads / fastest


def triad_bytes(cache: int) -> int:
    """Bytes of each array: all three together four times the cache, within bounds."""
    return min(max(4 * cache // 3, SMALLEST), LARGEST)


def cache_bytes(folder: Path = _CACHES) -> int:
    """The largest cache of the first core; 0 where the system does not tell."""
    found = [0]
    for path in folder.glob("index*/size"):
        text = path.read_text().strip()
        number = text.rstrip("".join(_SUFFIX))
        if number.isdecimal():
            found.append(int(number) * _SUFFIX.get(text[len(number) :], 1))
    return max(found)


def best(work: Callable[[int], object]) -> float:
    """Seconds of the fastest repetition; ``work`` is given its number, and the first counts for nothing."""
    found: list[float] = []
    while len(found) < 4 or sum(found) < SECONDS:
        start = perf_counter()
        work(len(found))
        found.append(perf_counter() - start)
    return min(found[1:])


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
