"""``mlh ui`` as a process: a real socket, a real signal."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import MLH
from tests.unit.store.making import write_run

LONGEST_S = 60
"""Until a process on a busy machine has started or ended; both take a second."""
RUN = "20260301T100000Z-tiny-Offline-aaaaaa"


@contextmanager
def serving(folder: Path, environment: Mapping[str, str], *arguments: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """``mlh ui``, once it can be asked, and what it printed; it is gone in the end."""
    command = [*MLH, "ui", "--port", "0", "--json", *arguments]
    variables = {**environment, "MLH_DATA_DIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables) as process:
        try:
            assert process.stdout is not None
            lines = []
            while not lines or lines[-1] != "}\n":
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()[1]
            yield process, json.loads("".join(lines))
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_ends_it(
    environment: Mapping[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    write_run(tmp_path / "runs", RUN)
    with serving(tmp_path, environment) as (process, about):
        assert about["host"] == "127.0.0.1"
        answer = requests.get(about["url"], timeout=LONGEST_S)
        assert answer.status_code == 200
        assert RUN in answer.text
        assert "Server" not in answer.headers
        assert requests.get(f"{about['url']}runs/{RUN}", timeout=LONGEST_S).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST_S)
        assert (process.returncode, out, err) == (0, "", "Ctrl-C ends it.\nEnded.\n")
    with socket.socket() as again, pytest.raises(ConnectionRefusedError):
        again.connect(("127.0.0.1", about["port"]))


def test_beyond_loopback_it_wants_its_token(environment: Mapping[str, str], tmp_path: Path) -> None:
    write_run(tmp_path / "runs", RUN)
    with serving(tmp_path, environment, "--host", "0.0.0.0") as (process, about):  # noqa: S104  # what is tested
        here = f"http://127.0.0.1:{about['port']}/"
        assert requests.get(here, timeout=LONGEST_S).status_code == 403
        assert requests.get(f"{here}?token=wrong", timeout=LONGEST_S).status_code == 403
        with requests.Session() as session:
            assert session.get(f"{here}?token={about['token']}", timeout=LONGEST_S).status_code == 200
            # only what the cookie says lets in from now on
            assert RUN in session.get(here, timeout=LONGEST_S).text
        assert requests.get(here, timeout=LONGEST_S).status_code == 403
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LONGEST_S) == 0
