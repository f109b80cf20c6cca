"""``python -m mlharness.runner MESSAGES COUNTERS``: the measuring process, started by :mod:`mlharness.supervise`.

The two arguments are file descriptors; the job comes as one line of JSON on standard input, which then stays open for
as long as the parent lives.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlharness.runner import lifeline

if TYPE_CHECKING:
    from mlharness.plugins import Plugins
    from mlharness.runner.channel import Channel
    from mlharness.runner.job import Job


def main() -> None:
    """Do one job. Whatever goes wrong is told to the parent; the process never raises."""
    messages, counters = int(sys.argv[1]), int(sys.argv[2])
    lifeline.hold(sys.stdin.fileno(), (messages, counters))
    faulthandler.enable()  # a crash of native code leaves its Python frames in runner.log
    # not before the lifeline has forked
    from mlharness.runner.channel import Channel

    channel = Channel(messages, counters)
    try:
        do(channel)
        channel.send("done")
    except BaseException as error:  # noqa: BLE001  # reported to the parent, which decides what it means
        channel.fail(error)


def do(channel: Channel) -> None:
    """Read the job and do it."""
    import msgspec

    from mlharness.data_root import VARIABLE
    from mlharness.plugins import build_manager
    from mlharness.runner.job import Job

    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    if job.plan is not None and job.plan.host.data_dir:
        os.environ[VARIABLE] = job.plan.host.data_dir
    verb(job.verb)(job, build_manager(block=job.blocked), channel)


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
