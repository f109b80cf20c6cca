"""The verb *fetch*: bring a manifest's files here, verified."""

from __future__ import annotations

from pathlib import Path

from mlharness.manifest.files import as_uri, find_source, resolve
from mlharness.plugins import Plugins
from mlharness.runner.channel import PATIENT_S, STALL_S, Channel
from mlharness.runner.job import Job


def fetch(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Fetch each file of the job and send its path."""
    assert job.fetch is not None, "a fetch job names its files"
    base = Path(job.fetch.base)
    for source, checksum in job.fetch.files:
        provider = find_source(source, as_uri(source, base), plugins.catalog)
        # A source that needs a framework builds what it brings, as a model's export, and cannot count meanwhile.
        channel.phase("fetch", source, stall_s=PATIENT_S if provider.framework else STALL_S)

        def advance(done: int, total: int) -> None:
            channel.counters[0], channel.counters[1] = done, 0
            channel.send("total", total=total)

        path = resolve(source, base, checksum, plugins.catalog, True, advance, job.fetch.allow_http)
        channel.send("fetched", source=source, path=str(path))
