"""The runner's end of the channel: whole messages from any thread, phases, and the one way out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from mlharness.errors import PluginError, RunError, UserError
from mlharness.runner.channel import COUNTERS, Channel, describe_failure
from tests.unit.runner.making import a_channel


def test_messages_of_many_threads_stay_whole() -> None:
    reader, writer = os.pipe()
    with a_channel() as (channel, _), os.fdopen(reader, "rb") as stream:
        channel._messages, own = writer, channel._messages

        def talk(number: int) -> None:
            for part in range(20):
                channel.send("said", by=number, part=part, text="x" * 9000)

        threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        heard = [json.loads(stream.readline()) for _ in range(80)]
        for thread in threads:
            thread.join()
        channel._messages = own
        os.close(writer)
    for number in range(4):
        assert [message["part"] for message in heard if message["by"] == number] == list(range(20))


def test_a_phase_is_told_and_counts_from_zero() -> None:
    with a_channel() as (channel, sent):
        channel.counters[0], channel.counters[COUNTERS - 1] = 5, 6
        channel.phase("samples", "8 samples", total=8)
        assert sum(channel.counters) == 0
        (message,) = sent()
    assert message["event"] == "phase"
    assert (message["name"], message["detail"], message["total"]) == ("samples", "8 samples", 8)
    assert message["expected_s"] is None
    assert message["stall_s"] > 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("bad", "mend"), ("user", "bad", "mend")),
        (PluginError("gone"), ("user", "gone", "")),
        (RunError("broke", "look"), ("run", "broke", "look")),
        (ValueError("x"), ("bug", "ValueError('x')", "")),
        (KeyboardInterrupt(), ("bug", "KeyboardInterrupt()", "")),
    ],
)
def test_failures_say_what_kind_they_are(error: BaseException, expected: tuple[str, str, str]) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    found = describe_failure(caught.value, "measure")
    assert (found["kind"], found["message"], found["remedy"]) == expected
    assert found["phase"] == "measure"
    assert "test_failures_say_what_kind_they_are" in found["traceback"]
    json.dumps(found)


def fail_elsewhere(body: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, messages and stderr of a process in which a channel fails."""
    program = f"""
import os, sys, tempfile, threading, time
from mlharness.errors import RunError
from mlharness.runner.channel import SHARED_BYTES, Channel
shared = tempfile.TemporaryFile()
shared.truncate(SHARED_BYTES)
channel = Channel(1, shared.fileno())
{body}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_failing_ends_the_process_whatever_other_threads_do() -> None:
    code, messages, printed = fail_elsewhere(
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "threading.Thread(target=lambda: channel.fail(RunError('stop', 'now'))).start()\n"
        "time.sleep(600)"
    )
    assert code == 3
    assert [(message["event"], message["kind"]) for message in messages] == [("failure", "run")]
    assert "RunError: stop" in printed


def test_failing_ends_the_process_even_when_nobody_listens() -> None:
    code, messages, _ = fail_elsewhere("os.close(1)\nchannel.fail(ValueError('x'))\nprint('still here')")
    assert (code, messages) == (3, [])


def test_counters_are_seen_by_whoever_shares_the_file() -> None:
    reader, writer = os.pipe()
    try:
        with a_channel() as (channel, _):
            assert len(channel.counters) * channel.counters.itemsize == COUNTERS * 8
            channel.counters[COUNTERS - 1] = 2**62
            channel.busy[0] = 5
            assert isinstance(channel, Channel)
            assert (channel.counters[COUNTERS - 1], channel.busy[0]) == (2**62, 5)
    finally:
        os.close(reader)
        os.close(writer)
