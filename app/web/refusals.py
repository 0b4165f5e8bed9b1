"""How pages show a failure: always as a page, never as JSON, and never with a typed text lost.

Somebody who is not signed in is asked to sign in and brought back; what they were sending comes
along. In the admin zone every failure of a stranger looks like an unknown page.
"""

from collections.abc import Callable
from urllib.parse import quote

from flask import Response, request

from app.errors import CsrfFailed, ForeignOrigin, NotFound, ServiceError, Unauthenticated
from app.identity import SAFE_METHODS
from app.web import account, forms, guard, pages, rendering, send_tokens, writing
from app.web.forms import Form

# What the page of a failure carries on of the message that was being sent.
KEPT = ("text", "silent", "bare", "nonce")
# Forms that are shown again, filled in, when their page was open for longer than its session.
_SHOWN_AGAIN: dict[str, Callable[[Form, ServiceError], Response]] = {
    "pages.begin_session": pages.sign_in_page,
    "pages.register": pages.sign_up_page,
    "writing.send": writing.write_page,
    "account.change_profile": account.profile_page,
    "send_tokens.make": send_tokens.token_page,
}


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
    show_again = _SHOWN_AGAIN.get(request.endpoint or "")
    if isinstance(error, CsrfFailed) and show_again:
        try:
            return show_again(forms.posted(request), error)
        except ServiceError as unreadable:
            error = unreadable
    return rendering.page("pages/failure.html", refused=error, kept=_kept(error), path=request.path)


def _sign_in(error: ServiceError) -> Response:
    if rendering.is_piece_wanted():
        return Response(status=error.status, headers={"HX-Redirect": "/cabinet/sign-in"})
    if request.method in SAFE_METHODS:
        wanted = request.full_path.rstrip("?")
        return rendering.go_to(f"/cabinet/sign-in?next={quote(wanted, safe='/')}")
    return pages.sign_in_page(Form(_kept(error)), error)


def _kept(error: ServiceError) -> dict[str, str]:
    """The message that was being sent, unless another site sent it: nobody typed that one."""
    if request.endpoint != "writing.send" or isinstance(error, ForeignOrigin):
        return {}
    try:
        return {name: request.form[name] for name in KEPT if request.form.get(name)}
    except Exception:
        # The form itself may be what could not be read.
        return {}


def _is_admin_zone() -> bool:
    return request.path.split("/")[1] == "admin"


def _is_admin() -> bool:
    known = guard.caller_if_known()
    return known is not None and known.person.is_admin
