"""What every request and every answer carries: a request id, security headers, a line in the log.

Not what they say: that is each face's. A face that needs another Content-Security-Policy sets its
own; the one here is for answers that are no pages.
"""

import re
import time
import uuid
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import structlog
from flask import Flask, Request, Response, g
from werkzeug.exceptions import BadRequest, HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from app import logs
from app.config import Settings
from app.extensions import current_request

log = logs.get("app.access")

# A caller's own id is taken over when it can forge nothing in a log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000"

# Machines that watch come by whatever name the container or the host has; these answers have no
# address in them.
PROBES = ("/healthz", "/readyz", "/metrics")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def attach(app: Flask, settings: Settings) -> None:
    """Hooks all of it into `app`, and believes as many proxies as TRUSTED_PROXIES says."""
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        server: Any = app
        # Not X-Forwarded-Host: proxies that do not set it pass on the client's.
        server.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)
    own = _own_hosts(settings)

    def begin() -> None:
        request = current_request()
        _begin(request)
        _refuse_foreign_host(request, own)
        _read_body(request)

    app.before_request(begin)
    app.after_request(_finish)
    if settings.https:
        app.after_request(_strict_transport)
    # The thread serves others next, and logs things that belong to no request.
    app.teardown_request(lambda _: structlog.contextvars.clear_contextvars())


def _begin(request: Request) -> None:
    given = request.headers.get("X-Request-ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    g.request_id = request_id
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _own_hosts(settings: Settings) -> Collection[str]:
    """The names that requests may call this server by; none: any, since nobody said."""
    if not settings.public_url:
        return ()
    own = urlsplit(settings.public_url).hostname or ""
    return {own, settings.host, *_LOOPBACK}


def _refuse_foreign_host(request: Request, own: Collection[str]) -> None:
    """A Host that is broken, or that PUBLIC_URL knows nothing of, is a 400."""
    given = request.headers.get("Host")
    if given is None or request.path in PROBES:
        return
    try:
        name = urlsplit(f"//{request.host}").hostname
    except ValueError:
        name = None
    if name is None or (own and name not in own):
        raise SecurityError


def _read_body(request: Request) -> None:
    """Reads the body once for all: here, what goes wrong with it is the client's fault, whatever
    the server raises for a chunk that is none or a connection that breaks."""
    try:
        request.get_data()
    except HTTPException:
        raise
    except Exception:
        raise BadRequest from None


def _finish(response: Response) -> Response:
    request = current_request()
    response.headers["X-Request-ID"] = g.request_id
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    route = request.url_rule.rule if request.url_rule else None
    if route in PROBES and response.status_code == 200:
        return response
    log.info(
        "request",
        method=request.method,
        route=route,
        status=response.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 1),
    )
    return response


def _strict_transport(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = HSTS
    return response
