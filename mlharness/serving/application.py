"""The server's answers: one WSGI application, which only reads."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from mlharness.errors import MlharnessError
from mlharness.serving.answers import answer, trouble
from mlharness.serving.frame import page
from mlharness.serving.gate import Gate
from mlharness.serving.trouble import status_of
from mlharness.serving.views import Views

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ROUTES = Map(
    [
        Rule("/", endpoint="runs"),
        Rule("/runs/<run_id>", endpoint="run"),
        Rule("/compare", endpoint="compare"),
        Rule("/sweeps", endpoint="sweeps"),
        Rule("/sweeps/<name>", endpoint="sweep"),
    ],
    strict_slashes=False,
    merge_slashes=False,
)
_METHODS = ("GET", "HEAD")
_REPORT = "Its traceback stands where mlh ui runs; please report it: https://github.com/mlharness/mlharness/issues"


class Application:
    """Answers requests, on several threads at once.

    Args:
        gate: who may ask.
        told: is told, in a line, what was asked for and how that was answered.
        failed: is told the traceback of a bug.
    """

    def __init__(self, gate: Gate, told: Callable[[str], None], failed: Callable[[str], None]) -> None:
        self._gate = gate
        self._told = told
        self._failed = failed
        self._views = Views()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        request = Request(environ)
        response = self.answer(request)
        self._told(f"{request.method} {request.path}: {response.status_code}")
        return response(environ, start_response)

    def answer(self, request: Request) -> Response:
        """The answer to a request, whatever becomes of it."""
        try:
            return self._answer(request)
        except MlharnessError as error:
            return trouble(status_of(error), error.message, error.remedy)
        except HTTPException as error:
            return trouble(error.code or 400, _MEANINGS.get(error.code or 0, error.description or ""))
        except Exception as error:  # noqa: BLE001  # what one page stumbles over must not take the others away
            self._failed(traceback.format_exc())
            return trouble(500, f"This is a bug in mlharness: {type(error).__name__}: {error}", _REPORT)

    def _answer(self, request: Request) -> Response:
        self._gate.check_host(request)
        self._gate.check_site(request)
        if self._gate.enters(request):
            return self._enter()
        self._gate.check_token(request)
        if request.method not in _METHODS:
            response = trouble(405, "This server only shows things.")
            response.headers["Allow"] = ", ".join(_METHODS)
            return response
        endpoint, values = _ROUTES.bind("").match(request.path)
        view: Callable[..., Response] = getattr(self._views, endpoint)
        return view(request, **values)

    def _enter(self) -> Response:
        """Let in who has the token: a page that sets the cookie, and goes on by itself.

        It is no redirect: after a link on another site, a browser would not send a strict cookie along with that.
        """
        response = answer(page("enter.html", "mlharness"))
        response.headers["Set-Cookie"] = self._gate.cookie_header()
        response.headers["Refresh"] = "0; url=/"
        return response


_MEANINGS = {404: "There is no such page."}
