"""``mlh ui``: the store in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser

import click

from mlharness.cli.exits import ExitCode
from mlharness.cli.options import output_options
from mlharness.cli.output import Output, print_error
from mlharness.errors import UserError
from mlharness.serving.listening import HOST, PORT, listen

_NEEDED = ("waitress", "werkzeug")


@click.command("ui")
@click.option("--host", default=HOST, show_default=True, metavar="ADDRESS",
              help="Listen on this address; any but loopback is served with a token only.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--token", is_flag=True, help="Ask for a token on loopback, too: other users work on this machine.")
@click.option("--open/--no-open", "opened", default=None,
              help="Open a browser, or none; else where there is a terminal, a display and no token.")  # fmt: skip
@output_options
def command(host: str, port: int, token: bool, opened: bool | None, output: Output) -> ExitCode:
    """Show runs in a browser: list, filter and compare them, open their reports and those of sweeps.

    It only reads, and answers this machine only. On any other address than loopback it prints a token in its own, and
    whoever does not have that is sent away. Ctrl-C ends it, with exit code 0.
    """
    try:
        from mlharness.serving.application import Application
        from mlharness.serving.gate import make_gate
        from mlharness.serving.server import serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _NEEDED:
            raise
        raise UserError(f"mlh ui needs {missing}, which is not installed", "pip install 'mlharness[ui]'") from error
    listening = listen(host, port)
    gate = make_gate(listening, asked=token)
    url = listening.url(gate.token)
    document = {"url": url, "host": listening.address, "port": listening.port, "token": gate.token or None}
    output.show(lambda: document, lambda: output.line(url))
    sys.stdout.flush()  # who started this in the background waits for it
    if not listening.loopback:
        output.note("The token and all pages go over the network as they are: an SSH tunnel would hide them.")
    output.note("Ctrl-C ends it.")
    # other users can read a browser's command line, which holds the address
    if opened or (opened is None and not gate.token and _is_desktop()):
        webbrowser.open(url)
    serve(Application(gate, output.detail, print_error), listening)
    output.note("Ended.")
    return ExitCode.DONE


def _is_desktop() -> bool:
    """Whether somebody sits before this: not so in a script, and not behind SSH."""
    display = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return display and sys.stdin.isatty() and sys.stdout.isatty()
