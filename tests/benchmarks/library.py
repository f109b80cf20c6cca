"""A library of 50,000 images: what is resident, and whether loading with named steps keeps every core busy."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from mlharness.cores import usable_cores
from mlharness.plugins import build_manager
from mlharness.providers import Arrays, TensorSpec
from mlharness.runner.library import SampleLibrary
from mlharness.runner.pipeline import BoundStep, Pipeline
from tests.benchmarks.measure import Row

COUNT = 50_000
PERFORMANCE_SET = 1024
STEPS = (
    ("image.decode", {"mode": "RGB"}),
    ("image.resize", {"size": 256, "shape": None, "interpolation": "bicubic"}),
    ("image.center-crop", {"size": 224, "shape": None}),
    ("image.normalize", {"mean": [127.0], "std": [128.0], "scale": 1.0}),
    ("image.layout", {"to": "CHW"}),
)


class JpegDataSet:
    """:data:`COUNT` samples that share the bytes of a few JPEG files of photographic size."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._files = [self._jpeg(random) for _ in range(16)]

    @staticmethod
    def _jpeg(random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        small = Image.fromarray(random.integers(0, 255, (30, 40, 3), np.uint8))
        stream = io.BytesIO()
        small.resize((500, 375), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        return np.frombuffer(stream.getvalue(), np.uint8)

    def __len__(self) -> int:
        return COUNT

    def check(self) -> None:
        """The files were just made."""

    def sample(self, index: int) -> Arrays:
        """The bytes of a JPEG file."""
        return (self._files[index % len(self._files)],)

    def label(self, index: int) -> int:
        """None has a meaning."""
        return 0


class PeakMemory(threading.Thread):
    """The most memory that this process had resident, seen every 10 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._over = 0, threading.Event()

    def run(self) -> None:
        """Look until :meth:`end`."""
        process = psutil.Process()
        while not self._over.wait(0.01):
            self.peak = max(self.peak, process.memory_info().rss)

    def end(self) -> int:
        """The peak in bytes."""
        self._over.set()
        self.join()
        return self.peak


def rows(root: Path, repeat: int) -> list[Row]:
    """Load three performance sets one after another, as LoadGen's accuracy mode does."""
    catalog = build_manager().catalog
    steps = tuple(
        BoundStep(name, catalog.steps.find(name).provider.make(**given), batch=False, serial=False)
        for name, given in STEPS
    )
    library = SampleLibrary(JpegDataSet(), Pipeline("preprocess", steps, {}, {}), len(usable_cores()))
    library.expect((TensorSpec("images", "float32", (None, 3, 224, 224)),))
    before = psutil.Process().memory_info().rss
    watch = PeakMemory()
    watch.start()
    wall, processor = time.perf_counter(), time.process_time()
    for start in range(0, 3 * PERFORMANCE_SET, PERFORMANCE_SET):
        library.load(range(start, start + PERFORMANCE_SET))
        library.unload(range(start, start + PERFORMANCE_SET))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    grown = (watch.end() - before) / 2**20
    loaded_set = PERFORMANCE_SET * 3 * 224 * 224 * 4 / 2**20
    cores = len(os.sched_getaffinity(0))
    return [
        Row(
            f"library of {COUNT:,} images: memory grown, MiB (the loaded set is {loaded_set:.0f})",
            "about the loaded set",
            f"{grown:.0f}",
            grown < 1.15 * loaded_set,
        ),
        Row(
            f"loading with named steps: cores kept busy, of {cores}",
            "all",
            f"{processor / wall:.2f} ({3 * PERFORMANCE_SET / wall:.0f} images/s)",
            processor / wall > 0.85 * cores,
        ),
    ]
