"""The verb *fetch*: bring a manifest's files here, verified."""

from __future__ import annotations

from pathlib import Path

from mlharness.manifest.files import resolve
from mlharness.plugins import Plugins
from mlharness.runner.channel import Channel
from mlharness.runner.job import Job


def fetch(job: Job, plugins: Plugins, channel: Channel) -> None:
    """Fetch each file of the job and send its path."""
    assert job.fetch is not None, "a fetch job names its files"
    for source, sha256 in job.fetch.files:
        channel.phase("fetch", source)

        def advance(done: int, total: int) -> None:
            channel.counters[0], channel.counters[1] = done, 0
            channel.send("total", total=total)

        path = resolve(source, Path(job.fetch.base), sha256, plugins.catalog, fetch=True, advance=advance)
        channel.send("fetched", source=source, path=str(path))
