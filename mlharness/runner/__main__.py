"""``python -m mlharness.runner MESSAGES COUNTERS``: the measuring process, started by :mod:`mlharness.supervise`.

The two arguments are file descriptors; the job comes as one line of JSON on standard input, which then stays open for
as long as the parent lives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from mlharness.plugins import Plugins, build_manager
from mlharness.runner import lifeline
from mlharness.runner.channel import Channel
from mlharness.runner.job import Job


def main() -> None:
    """Do one job. Whatever goes wrong is told to the parent; the process never raises."""
    channel = Channel(int(sys.argv[1]), int(sys.argv[2]))
    try:
        job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
        lifeline.hold(sys.stdin.fileno())
        verb(job.verb)(job, build_manager(block=job.blocked), channel)
        channel.send("done")
    except BaseException as error:  # noqa: BLE001  # reported to the parent, which decides what it means
        channel.fail(error)


def verb(name: str) -> Callable[[Job, Plugins, Channel], None]:
    """The function of a verb. Only what it needs is imported: fetching loads no LoadGen."""
    if name == "fetch":
        from mlharness.runner.fetch import fetch

        return fetch
    if name == "inspect":
        from mlharness.runner.inspect import inspect

        return inspect
    if name == "score":
        from mlharness.runner.score import score

        return score
    from mlharness.runner.measure import measure

    return measure


if __name__ == "__main__":
    main()
