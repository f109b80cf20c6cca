"""Where the server listens: one socket, and the address that a browser is given."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from mlharness.errors import UserError

HOST = "127.0.0.1"
PORT = 8642
"""Where the user names no other: always the same, so that bookmarks and SSH tunnels stay right."""
_BACKLOG = 64


@dataclass(frozen=True)
class Listening:
    """A socket that takes connections. ``host`` is what the user wrote, ``address`` what it was bound to."""

    socket: socket.socket
    host: str
    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return _ip(self.address).is_loopback

    def url(self, token: str = "") -> str:
        """What to open in a browser; every address at once is told as this machine's name."""
        host = socket.gethostname() if _ip(self.address).is_unspecified else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + (f"?token={token}" if token else "")


def listen(host: str, port: int) -> Listening:
    """Listen on a port of an address of this machine; 0 is any that is free.

    Raises:
        UserError: there is no such address here, or the port is taken or not for us.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError) as error:
        found, why = [], f": {error.args[-1]}" if isinstance(error, socket.gaierror) else ""
    else:
        why = ""
    if not found:
        raise UserError(f"--host {host!r} is no address{why}", _HOSTS)
    # of a name with both, the older: what a browser tries first differs
    family, kind, protocol, _, where = min(found, key=lambda one: one[0] != socket.AF_INET)
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was served a moment ago is free
        made.bind(where)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise _refused(error, host, port) from error
    address, bound = made.getsockname()[:2]
    return Listening(made, host, str(address), int(bound))


_HOSTS = "Leave --host out for this machine alone, or name one of its addresses; 0.0.0.0 is all of them."


def _refused(error: OSError, host: str, port: int) -> UserError:
    if error.errno == errno.EADDRINUSE:
        return UserError(
            f"port {port} of {host} is taken", "Another mlh ui may be there. Choose another --port; 0 takes a free one."
        )
    if error.errno == errno.EACCES:
        return UserError(f"port {port} of {host} is not for us: {error.strerror}", "Choose a --port from 1024 on.")
    return UserError(f"--host {host}: {error.strerror}", _HOSTS)


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address.partition("%")[0])
