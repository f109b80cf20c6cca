"""``mlh ui`` as a process: a real socket, a real signal."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from tests.served import serving
from tests.unit.store.making import write_run

LONGEST_S = 60
"""Until a process on a busy machine has answered or ended; both take a second."""
RUN = "20260301T100000Z-tiny-Offline-aaaaaa"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_ends_it(environment: Mapping[str, str], tmp_path: Path, number: int) -> None:
    write_run(tmp_path / "runs", RUN)
    with serving(tmp_path, environment) as served:
        assert served.host == "127.0.0.1"
        answer = requests.get(served.url, timeout=LONGEST_S)
        assert answer.status_code == 200
        assert RUN in answer.text
        assert "Server" not in answer.headers
        assert requests.get(f"{served.url}runs/{RUN}", timeout=LONGEST_S).status_code == 200
        served.process.send_signal(number)
        out, err = served.process.communicate(timeout=LONGEST_S)
        assert (served.process.returncode, out, err) == (0, "", "Ctrl-C ends it.\nEnded.\n")
    with socket.socket() as again, pytest.raises(ConnectionRefusedError):
        again.connect(("127.0.0.1", served.port))


def test_beyond_loopback_it_wants_its_token(environment: Mapping[str, str], tmp_path: Path) -> None:
    write_run(tmp_path / "runs", RUN)
    with serving(tmp_path, environment, "--host", "0.0.0.0") as served:  # noqa: S104  # what is tested
        here = f"http://127.0.0.1:{served.port}/"
        assert requests.get(here, timeout=LONGEST_S).status_code == 403
        assert requests.get(f"{here}?token=wrong", timeout=LONGEST_S).status_code == 403
        with requests.Session() as session:
            assert session.get(f"{here}?token={served.token}", timeout=LONGEST_S).status_code == 200
            # only what the cookie says lets in from now on
            assert RUN in session.get(here, timeout=LONGEST_S).text
        assert requests.get(here, timeout=LONGEST_S).status_code == 403
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(timeout=LONGEST_S) == 0
