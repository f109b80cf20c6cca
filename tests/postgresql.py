"""A PostgreSQL server of the tests' own: the system's programs, on loopback, with data that is thrown away."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_LONGEST_S = 60


def programs() -> Path | None:
    """The folder with ``initdb`` and ``postgres``; None when there is none. Debian has it outside the path."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = Path(on_path).resolve() if on_path else debian[-1] if debian else None
    return found.parent if found is not None and (found.parent / "postgres").exists() else None


def account() -> dict[str, Any]:
    """As whom the server runs, for ``subprocess``: it refuses root."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@dataclass
class Server:
    """A server that can be stopped and started again with the same data."""

    bin: Path
    folder: Path
    port: int
    process: subprocess.Popen[str] | None = field(default=None)

    @property
    def url(self) -> str:
        """What ``MLH_STORE`` is set to."""
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder, "fsync": "off",
        }  # fmt: skip
        given = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        command = [str(word) for word in (self.bin / "postgres", "-D", self.folder / "data", *given)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, text=True, cwd="/", **account())
        self._wait()

    def _wait(self) -> None:
        asked = [str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + _LONGEST_S
        while subprocess.run(asked, check=False).returncode:
            assert self.process is not None
            ended = self.process.poll() is not None or time.monotonic() > deadline
            assert not ended, (self.folder / "log").read_text("utf-8")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop: at once, as if it had died; SIGINT does so in order."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_LONGEST_S)
            self.process = None


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server() -> Iterator[Server]:
    """A started server; the test is skipped where there is no PostgreSQL, or no driver for it."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'mlharness[postgresql]'")
    found = programs()
    if found is None:
        pytest.skip("there is no PostgreSQL server here: install Debian's postgresql")
    # not pytest's folder, which only its own user can enter
    folder = Path(tempfile.mkdtemp(prefix="mlharness-postgresql-"))
    try:
        owner = account()
        if owner:
            os.chown(folder, owner["user"], owner["group"])
        made = [
            str(found / "initdb"),
            "-D",
            str(folder / "data"),
            "-U",
            "tester",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run([*made, "--locale", "C"], check=True, capture_output=True, cwd="/", **owner)
        server = Server(found, folder, free_port())
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGINT)
    finally:
        shutil.rmtree(folder)
