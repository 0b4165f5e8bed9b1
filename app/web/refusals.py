"""How pages show a failure: always as a page, never as JSON, and never with a typed text lost.

Somebody who is not signed in is asked to sign in and brought back; what they were sending comes
along. In the admin zone every failure of a stranger looks like an unknown page.
"""

from urllib.parse import quote

from flask import Response, request

from app.errors import NotFound, ServiceError, Unauthenticated
from app.identity import SAFE_METHODS
from app.web import guard, pages, rendering
from app.web.forms import Form

# What the page of a failure carries on of the form that met it.
KEPT = ("text", "silent", "bare", "nonce")


def owns(path: str) -> bool:
    """Whether failures of this path are shown as pages."""
    return path in ("/", "/favicon.ico") or path.split("/")[1] in ("cabinet", "admin", "static")


def render(error: ServiceError) -> Response:
    """The page that says what failed."""
    if _is_admin_zone() and not _is_admin():
        error = NotFound()
    if isinstance(error, Unauthenticated):
        return _sign_in(error)
    if rendering.is_piece_wanted():
        return Response(status=error.status)
    return rendering.page("pages/failure.html", refused=error, kept=_kept(), path=request.path)


def _sign_in(error: ServiceError) -> Response:
    if rendering.is_piece_wanted():
        return Response(status=error.status, headers={"HX-Redirect": "/cabinet/sign-in"})
    if request.method in SAFE_METHODS:
        wanted = request.full_path.rstrip("?")
        return rendering.go_to(f"/cabinet/sign-in?next={quote(wanted, safe='/')}")
    return pages.sign_in_page(Form(_kept()), error)


def _kept() -> dict[str, str]:
    """What was typed, if a text was: the form itself may be what could not be read."""
    if request.method in SAFE_METHODS:
        return {}
    try:
        return {name: request.form[name] for name in KEPT if request.form.get(name)}
    except Exception:
        return {}


def _is_admin_zone() -> bool:
    return request.path.split("/")[1] == "admin"


def _is_admin() -> bool:
    known = guard.caller_if_known()
    return known is not None and known.person.is_admin
