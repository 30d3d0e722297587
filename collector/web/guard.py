"""What stands before the page: only GET, only for names that this machine has, and headers that keep everything else out."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what is no GET, or names a host that this loopback page does not have (DNS rebinding); adds the headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        """`hosts`: the names it answers to, None for any."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["method"] != "GET":
            return PlainTextResponse("read-only: GET is all there is\n", HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
        host = Headers(scope=scope).get("host", "")
        if self._hosts is not None and re.sub(r":\d*$", "", host).lower() not in self._hosts:
            return PlainTextResponse(
                "this page is on this machine only: write http://localhost\n", HTTPStatus.MISDIRECTED_REQUEST
            )
        return None
