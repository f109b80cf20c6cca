"""The null floor: what one query costs on this host when the model costs nothing.

Measured by the null framework in SingleStream, in a runner of its own, for about a second, and kept per host and
version, since it does not depend on the model.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from mlharness.choices import Choices
from mlharness.errors import RunError
from mlharness.manifest.library import ManifestLibrary
from mlharness.measuring import measure
from mlharness.paths import cache_dir
from mlharness.planning import make_plan
from mlharness.plugins import Plugins
from mlharness.rundir import write_json
from mlharness.supervise import Watch

SECONDS = 1.0


def null_floor_us(plugins: Plugins, scratch: Path, announce: Callable[[], None] = lambda: None) -> float:
    """Microseconds a query of the null framework, LoadGen's mean latency in SingleStream; measured once per host.

    ``announce`` is called when it has to be measured, ``scratch`` is a folder that then exists for as long.
    """
    kept = cache_dir() / "null-floor" / f"{host_key()}.json"
    try:
        return float(json.loads(kept.read_text())["us_per_query"])
    except (OSError, ValueError, KeyError):
        announce()
    found = measure_floor(plugins, scratch)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_json(kept, {"us_per_query": found})
    return found


def host_key() -> str:
    """What the floor depends on: the host, Python, and the versions of mlharness and LoadGen."""
    versions = [metadata.version(name) for name in ("mlharness", "mlcommons-loadgen")]
    return "-".join([platform.node() or "host", platform.machine(), platform.python_version(), *versions])


def measure_floor(plugins: Plugins, scratch: Path) -> float:
    """Run the null model for :data:`SECONDS` in a folder that is not there yet. Raises RunError when it cannot be."""
    library = ManifestLibrary(plugins.catalog)
    choices = Choices(scenario="SingleStream", duration_s=SECONDS)
    plan = make_plan(library.model("null"), library.dataset("null"), choices, plugins.catalog, ())
    scratch.mkdir()
    try:
        measured = measure(plan, scratch, Watch(), scratch / "runner.log")
    finally:
        shutil.rmtree(scratch)
    found = measured.log.latencies("SingleStream")["mean"] / 1000
    if not found > 0:
        raise RunError(f"the null floor came out as {found} us")
    return found
