"""Serves the application on a socket until the process is told to end."""

from __future__ import annotations

import logging

from waitress import create_server

from mlharness.serving.application import Application
from mlharness.serving.listening import Listening

THREADS = 4
"""Requests answered at once; a browser asks for one page at a time."""
_LIMITS = {
    "connection_limit": 200,
    "channel_timeout": 30,  # seconds until an idle connection, or one that is sending its request, is closed
    "cleanup_interval": 10,
    "max_request_header_size": 1 << 16,
    "max_request_body_size": 1 << 16,  # nothing here reads a body
}


def serve(application: Application, listening: Listening) -> None:
    """Serve until SIGINT or SIGTERM; a page that is being made is waited for, 5 s at most.

    Raises:
        KeyboardInterrupt: a second signal came meanwhile.
    """
    # its warnings are about busy threads and clients that went away: nothing that a user can mend
    logging.getLogger("waitress").setLevel(logging.ERROR)
    server = create_server(
        application, sockets=[listening.socket], threads=THREADS, ident=None, log_socket_errors=False,
        asyncore_use_poll=True, **_LIMITS,
    )  # fmt: skip
    try:
        server.run()
    finally:
        server.close()
