"""Measures what this host can do at most, in a process of its own: ``python -m mlharness.analysis.peaks THREADS``.

NumPy's linear algebra takes its number of threads from the environment when it is imported, so that the caller sets it
there. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np

SIDE = 2048
"""Of the square float32 matrices: 48 MiB for all three, 17 billion operations."""
REPETITIONS = 7
"""The best of so many is taken: whatever else the host does can only make one slower."""
SMALLEST, LARGEST = 32 << 20, 256 << 20
"""Bytes of each of the three arrays of the triad, of which there are to be four times as many as the cache holds."""
ARRAYS_MOVED = 5
"""NumPy computes a = b + s * c in two steps: it reads c, writes a, then reads a and b, and writes a."""
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_SUFFIX = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def measure(threads: int) -> dict[str, float | int]:
    """Operations and bytes a second, at most, with so many threads, and how large the problems were."""
    size = triad_bytes(cache_bytes())
    return {
        "flops_per_s": flops_per_s(),
        "bytes_per_s": bytes_per_s(threads, size),
        "matrix_side": SIDE,
        "array_bytes": size,
        "repetitions": REPETITIONS,
    }


def flops_per_s(side: int = SIDE) -> float:
    """Of a product of square float32 matrices."""
    generator = np.random.default_rng(0)
    first, second = (generator.random((side, side), np.float32) for _ in range(2))
    product = np.empty_like(first)
    return 2 * side**3 / _best(lambda: np.matmul(first, second, out=product))


def bytes_per_s(threads: int, size: int) -> float:
    """Of a triad over float32 arrays of so many bytes, each thread with a part of its own."""
    count = size // 4 // threads
    parts = [tuple(np.ones(count, np.float32) for _ in range(3)) for _ in range(threads)]

    def triad(part: int) -> None:
        a, b, c = parts[part]
        np.multiply(c, np.float32(3), out=a)
        np.add(a, b, out=a)

    with ThreadPoolExecutor(threads) as pool:  # NumPy lets go of the interpreter while it computes
        seconds = _best(lambda: list(pool.map(triad, range(threads))))
    return ARRAYS_MOVED * 4 * count * threads / seconds


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


def _best(work: Callable[[], object]) -> float:
    """Seconds of the fastest repetition."""
    times = []
    for _ in range(REPETITIONS):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
